"""`run_inline`: same results, errors and cancellation as `await`, and a word before the first wait."""

import pytest
import trio

from kezd.rpc.inline import run_inline


async def test_without_waiting_nobody_is_told():
    told = []

    async def quick():
        return 7

    assert await run_inline(quick(), lambda: told.append(1)) == (7, False)
    assert not told
    await trio.lowlevel.checkpoint()


async def test_told_once_before_the_first_wait():
    told = []

    async def slow():
        for _ in range(3):
            await trio.sleep(0.001)
        return told[:]

    assert await run_inline(slow(), lambda: told.append(1)) == ([1], True)


@pytest.mark.parametrize("waits", [0, 2])
async def test_errors_pass(waits):
    async def fail():
        for _ in range(waits):
            await trio.lowlevel.checkpoint()
        raise KeyError("x")

    with pytest.raises(KeyError):
        await run_inline(fail(), lambda: None)


async def test_cancellation_passes_and_cleans_up():
    cleaned = []

    async def forever():
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.001)
            cleaned.append(1)

    with trio.move_on_after(0.01) as scope:
        await run_inline(forever(), lambda: None)
    assert scope.cancelled_caught
    assert cleaned


async def test_timeouts_inside_work():
    async def inner():
        with trio.move_on_after(0.01):
            await trio.sleep_forever()
        return "over"

    assert await run_inline(inner(), lambda: None) == ("over", True)
