"""The baseline of events: Trio sends the same lines to as many sockets, and nothing else.

`python -m bench.programs.bare_fanout SOCKET CONTROL`. No log, no subscription, no bounds: each line is
made once, a batch goes to one socket after another, and who said that it will not read is skipped.
CONTROL is as in `event_source`.
"""

import sys
import time
from functools import partial

import msgspec
import trio

from bench.programs.event_wire import RUNNING, Order, event_line
from bench.programs.speech import say

decode = msgspec.json.Decoder(Order).decode


async def join(readers: set[trio.SocketStream], stream: trio.SocketStream) -> None:
    async with stream:
        if await stream.receive_some(16) == RUNNING:
            readers.add(stream)
        # Past the stream: its one sender may be `obey` already, before this task goes on.
        await stream.socket.send(b"{}\n")
        while await stream.receive_some(16):
            pass
        readers.discard(stream)


async def obey(readers: set[trio.SocketStream], stream: trio.SocketStream) -> None:
    async with stream:
        while line := await stream.receive_some(65536):
            order, at = decode(line), []
            for first in range(0, order.events, order.batch):
                last = min(first + order.batch, order.events)
                lines = b"".join(event_line(number) for number in range(first, last))
                now = time.perf_counter()
                for reader in readers:
                    await reader.send_all(lines)
                at.append((last, now))
                if order.pause:
                    await trio.sleep(order.pause)
            await stream.send_all(msgspec.json.encode({"at": at}) + b"\n")


async def listen(path: str) -> trio.SocketListener:
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(path)
    listener.listen(200)
    return trio.SocketListener(listener)


async def main(path: str, control: str) -> None:
    readers: set[trio.SocketStream] = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, partial(join, readers), [await listen(path)])
        nursery.start_soon(trio.serve_listeners, partial(obey, readers), [await listen(control)])
        say({"ready": True})


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
