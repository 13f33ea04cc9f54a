"""Progress: often enough, the last one always, and never in the way of the work."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
import trio

from kezd.api import types as t
from kezd.rpc.outbox import HIGH_WATER, BrokenConnectionError, Outbox
from kezd.rpc.progress import INTERVAL, TEXT_LENGTH, Progresses


class Line:
    """A reporter's connection, and the client's end of it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        self.client.setblocking(False)
        self.ours = ours
        self.outbox = Outbox(ours)
        self.progresses = Progresses(nursery, self.outbox, lambda payload: payload + b"\n")
        self._rest = b""

    async def write(self) -> None:
        """As a connection does it."""
        with suppress(BrokenConnectionError):
            await self.outbox.run()

    def heard(self) -> list[dict[str, object]]:
        """The values that have arrived."""
        try:
            while data := self.client.recv(1 << 20):
                self._rest += data
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        notices = [json.loads(line) for line in lines if line.startswith(b"{")]
        assert all(notice["method"] == "$/progress" for notice in notices)
        return [notice["params"] for notice in notices]

    def done(self) -> list[object]:
        return [params["value"]["done"] for params in self.heard()]


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    async with trio.open_nursery() as nursery:
        made = Line(nursery)
        nursery.start_soon(made.write)
        yield made
        nursery.cancel_scope.cancel()
        made.ours.close()
        made.client.close()


async def test_a_flood_is_thinned_out_and_ends_with_the_last(autojump_clock):
    async with line() as one:
        with one.progresses.open("token", "bytes") as progress:
            began = trio.current_time()
            for number in range(1001):
                progress.report(number, 1000, "copying")
                await trio.sleep(0.001)
            took = trio.current_time() - began
        values = one.heard()
        assert values[0]["value"]["done"] == 0
        assert values[-1] == {
            "token": "token",
            "value": {"done": 1000, "total": 1000, "unit": "bytes", "text": "copying"},
        }
        assert took / INTERVAL - 1 <= len(values) <= took / INTERVAL + 2


async def test_what_could_not_go_at_once_goes_later_without_another_report(autojump_clock):
    async with line() as one:
        with one.progresses.open(7, "") as progress:
            progress.report(1, None)
            progress.report(2, None)
            progress.report(3, None)
            assert one.done() == [1]
            await trio.sleep(INTERVAL * 1.5)
            assert one.done() == [3]
        assert one.done() == []


async def test_a_client_that_reads_nothing_delays_nobody_and_gets_the_last(autojump_clock):
    async with line() as one:
        one.outbox.put(b"x" * (HIGH_WATER + 5_000_000) + b"\n")
        one.outbox.flush()
        assert one.outbox.full
        with one.progresses.open("t", "") as progress:
            for number in range(100):
                progress.report(number, None)
                await trio.sleep(INTERVAL)
        assert one.outbox.full
        values = []
        while not values or values[-1] != 99:
            values += one.done()
            await trio.lowlevel.checkpoint()
        assert values == [99]


async def test_nobody_asked():
    async with line() as one:
        with one.progresses.open(None, "") as progress:
            progress.report(1, 2, "x")
        assert one.heard() == []


async def test_the_text_is_cut_and_a_failing_call_still_tells_the_last():
    async with line() as one:
        with suppress(KeyError), one.progresses.open("t", "") as progress:
            progress.report(1, None)
            progress.report(2, None, "x" * 1000)
            raise KeyError
        first, last = one.heard()
        assert first["value"]["done"] == 1
        assert last["value"]["text"] == "x" * TEXT_LENGTH


async def test_a_broken_connection_is_not_in_the_way(autojump_clock):
    async with line() as one:
        with one.progresses.open("t", "") as progress:
            one.client.close()
            progress.report(1, None)
            for number in range(10):
                progress.report(number, None)
            await trio.sleep(1)


@pytest.mark.parametrize("base", [t.LongParams, t.LongMutation])
def test_tokens(base):
    for good in ("a", "x" * 128, 0, -5, None):
        assert msgspec.convert({"progress_token": good}, base).progress_token == good
    for bad in ("", "x" * 129, 1.5, True, [], {}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"progress_token": bad}, base)
