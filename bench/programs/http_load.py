"""Load on an HTTP server: so many kept connections, each with one request at a time.

`python -m bench.programs.http_load PORT CONNECTIONS SECONDS HANDLES` asks for `/v1/u/person<n>`, n below
HANDLES, in a fixed scattered order. Says `{requests, seconds}`. Answers are only counted: their
end is found by Content-Length.
"""
# ruff: noqa: TID251 - a load generator, in a process of its own

import asyncio
import sys
import time
from functools import partial
from typing import cast

import uvloop

from bench.programs.speech import say

STEP = 7919
"""A prime: visits every handle, no two neighbours in turn."""


class Asker(asyncio.Protocol):
    def __init__(self, requests: list[bytes], place: int, ended: asyncio.Event) -> None:
        self._requests = requests
        self._place = place
        self._ended = ended
        self._buffer = b""
        self.answers = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._ask()

    def _ask(self) -> None:
        self._place = (self._place + STEP) % len(self._requests)
        self._transport.write(self._requests[self._place])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(self._buffer[:200])
        field = self._buffer.lower().index(b"content-length: ") + 16
        size = int(self._buffer[field : self._buffer.index(b"\r\n", field)])
        if len(self._buffer) < head + 4 + size:
            return
        self._buffer = b""
        self.answers += 1
        if self._ended.is_set():
            self._transport.close()
        else:
            self._ask()


async def main(port: int, connections: int, seconds: float, handles: int) -> None:
    requests = [b"GET /v1/u/person%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % n for n in range(handles)]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    askers = []
    for number in range(connections):
        _, asker = await loop.create_connection(
            partial(Asker, requests, number * 31 % handles, ended), "127.0.0.1", port
        )
        askers.append(asker)
    await asyncio.sleep(seconds / 10)
    before, begun = sum(asker.answers for asker in askers), time.perf_counter()
    await asyncio.sleep(seconds)
    answers, took = sum(asker.answers for asker in askers) - before, time.perf_counter() - begun
    ended.set()
    if not answers:
        raise RuntimeError("no answers")
    say({"requests": answers, "seconds": took})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
