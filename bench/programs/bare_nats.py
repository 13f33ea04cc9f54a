"""The messages' baseline: nats-py publishing to JetStream and consuming, no crypto, no store.

`python -m bench.programs.bare_nats ROLE HOME_DIRECTORY NATS_URL COUNT BYTES [SOCKET]`, two roles that
belong together, each a process: `publish` (all acknowledged by the server, many in flight) and
`consume` (pull, acknowledge each); `single` (one at a time) and `answer`, which tells by SOCKET when
each was delivered. uvloop, one stream on file, the same broker that carries kezd's messages.
"""
# ruff: noqa: TID251 - the baseline is asyncio, in a process of its own

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType
from nats.js.errors import NotFoundError

from bench.figures import percentile
from bench.programs.broker import connect
from bench.programs.speech import heard, say
from kezd.home.nats_keys import load_keys

STREAM, SUBJECT = "BENCH", "bench.message"
IN_FLIGHT = 1_000
FETCH = 1_000
MOMENT = struct.Struct("d")
SETTLE = 20
"""First messages of `single` that are not counted."""


async def publish(directory: Path, url: str, count: int, payload: bytes) -> None:
    client = await connect(url, load_keys(directory / "keys").home)
    stream = client.jetstream(publish_async_max_pending=IN_FLIGHT)
    say({"ready": True})
    heard()
    begun = time.perf_counter()
    answers = [await stream.publish_async(SUBJECT, payload) for _ in range(count)]
    await asyncio.gather(*answers)
    say({"begun": begun, "acknowledged": time.perf_counter()})
    await client.close()


async def consume(directory: Path, url: str, count: int, _payload: bytes) -> None:
    client = await connect(url, load_keys(directory / "keys").home)
    stream = client.jetstream()
    with contextlib.suppress(NotFoundError):
        await stream.delete_stream(STREAM)
    await stream.add_stream(
        name=STREAM, subjects=[SUBJECT], storage=StorageType.FILE, retention=RetentionPolicy.WORK_QUEUE
    )
    pulled = await stream.pull_subscribe(
        SUBJECT, durable="all", config=ConsumerConfig(max_ack_pending=20_000)
    )
    say({"ready": True})
    taken = 0
    while taken < count:
        for message in await pulled.fetch(FETCH, timeout=30):
            await message.ack()
            taken += 1
    say({"consumed": time.perf_counter()})
    await client.close()


async def answer(directory: Path, url: str, count: int, _payload: bytes, socket_path: str) -> None:
    """The receiving half of `single`: tells when each message was delivered."""
    client = await connect(url, load_keys(directory / "keys").home)
    streams = client.jetstream()
    with contextlib.suppress(NotFoundError):
        await streams.delete_stream(STREAM)
    await streams.add_stream(name=STREAM, subjects=[SUBJECT], storage=StorageType.FILE)
    delivered = 0
    done = asyncio.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as back:
        back.connect(socket_path)

        async def on_message(message: Msg) -> None:
            nonlocal delivered
            back.send(MOMENT.pack(time.perf_counter()))
            await message.ack()
            delivered += 1
            if delivered == count + SETTLE:
                done.set()

        await streams.subscribe(SUBJECT, cb=on_message, manual_ack=True)
        say({"ready": True})
        await done.wait()
        await client.close()


async def single(directory: Path, url: str, count: int, payload: bytes, socket_path: str) -> None:
    """Publish → delivered in the other process, one at a time."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as back:
        back.bind(socket_path)
        back.setblocking(False)
        say({"ready": True})
        heard()
        client = await connect(url, load_keys(directory / "keys").home)
        streams = client.jetstream()
        took = []
        for _ in range(count + SETTLE):
            begun = time.perf_counter()
            acknowledged = asyncio.ensure_future(streams.publish(SUBJECT, payload))
            (moment,) = MOMENT.unpack(await loop.sock_recv(back, MOMENT.size))
            took.append(moment - begun)
            await acknowledged
        await client.close()
    took = took[SETTLE:]
    say({"p50": percentile(took, 0.5), "p99": percentile(took, 0.99)})


ROLES: dict[str, Callable[..., Coroutine[None, None, None]]] = {
    "publish": publish,
    "consume": consume,
    "single": single,
    "answer": answer,
}

if __name__ == "__main__":
    role, directory, url, count, size, *more = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ROLES[role](Path(directory), url, int(count), b"x" * int(size), *more))
