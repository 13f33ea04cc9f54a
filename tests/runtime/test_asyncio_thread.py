"""The bridge: results and errors cross, cancellation is prompt and complete, order holds."""

import asyncio  # noqa: TID251 - the other side of the bridge
import threading

import pytest
import trio
import trio.testing

from kezd.runtime.asyncio_thread import LoopClosedError, LoopThread, Reply


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


async def test_call_runs_in_the_other_thread_and_returns() -> None:
    async def where() -> str:
        return threading.current_thread().name

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            assert await loop.call(double, 21) == 42
            assert await loop.call(where) == "asyncio"


async def test_errors_arrive_unchanged() -> None:
    error = ValueError("as it is")

    async def fail() -> None:
        raise error

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            with pytest.raises(ValueError, match="as it is") as caught:
                await loop.call(fail)
    assert caught.value is error


async def test_cancel_reaches_the_task_and_waits_for_its_end() -> None:
    steps: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            steps.append("ended")

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            with trio.move_on_after(0.1) as scope:
                await loop.call(stubborn)
            assert scope.cancelled_caught
            assert steps == ["ended"]


async def test_cancelled_before_it_starts_never_starts() -> None:
    started: list[int] = []

    async def note() -> None:
        started.append(1)

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            with trio.CancelScope() as scope:
                scope.cancel()
                await loop.call(note)
            assert await loop.call(double, 1) == 2
    assert started == []


async def test_a_result_that_wins_the_race_is_kept() -> None:
    """A reply settled before the cancel arrives counts; the cancel is delivered later."""

    def start(reply: Reply[str]) -> None:
        reply.set_result("done")

    def cancel(reply: Reply[str]) -> None:
        reply.set_cancelled()

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            for _ in range(200):
                with trio.CancelScope() as scope:
                    trio.lowlevel.current_trio_token().run_sync_soon(scope.cancel)
                    assert await loop.ask(start, cancel) == "done"


async def test_many_calls_at_once_all_answer() -> None:
    results: list[int] = []

    with trio.fail_after(10):
        async with LoopThread.open() as loop, trio.open_nursery() as nursery:

            async def one(value: int) -> None:
                results.append(await loop.call(double, value))

            for value in range(500):
                nursery.start_soon(one, value)
    assert sorted(results) == [value * 2 for value in range(500)]


async def test_order_is_kept_in_both_directions() -> None:
    there: list[int] = []
    back: list[int] = []
    done = trio.Event()

    def on_loop(value: int) -> None:
        there.append(value)
        loop.to_trio(on_trio, value)

    def on_trio(value: int) -> None:
        back.append(value)
        if value == 999:
            done.set()

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            for value in range(1000):
                loop.to_loop(on_loop, value)
            await done.wait()
    assert there == back == list(range(1000))


async def test_questions_open_at_the_end_fail() -> None:
    caught: list[Exception] = []

    def never(_reply: Reply[None]) -> None:
        """Nobody will settle it."""

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            async with LoopThread.open() as loop:

                async def wait() -> None:
                    try:
                        await loop.ask(never, never)
                    except LoopClosedError as error:
                        caught.append(error)

                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(LoopClosedError):
                await loop.ask(never, never)
    assert len(caught) == 1


async def test_the_thread_is_gone_afterwards_and_leftover_tasks_were_cancelled() -> None:
    ended = threading.Event()

    async def stray() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def leave_a_stray() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(stray())

    with trio.fail_after(5):
        async with LoopThread.open() as loop:
            await loop.call(leave_a_stray)
            await loop.call(double, 1)
    assert ended.is_set()
    assert "asyncio" not in {thread.name for thread in threading.enumerate()}
