"""Load on a sigchain server: kept connections, each with one request at a time, until each has sent all of its own.

`python -m bench.programs.chain_load EVENTS CONNECTIONS APPEND_PORT READ_PORT`: signs, on each connection, EVENTS
events of a key of its own, appends them at APPEND_PORT, then reads its chain as often at READ_PORT. Says
`{appends, append_seconds, reads, read_seconds, bytes}`; signing is done before the first request.
"""
# ruff: noqa: TID251 - a load generator, in a process of its own

import asyncio
import secrets
import sys
import time
from functools import partial
from typing import cast

import uvloop

from bench.programs.speech import say
from kezd.kez.keys import Seed
from kezd.kez.sigchain import Chain, add, event_from_envelope, event_payload
from kezd.kez.signing import Signer

NOW = 1_767_225_600


class Asker(asyncio.Protocol):
    """One connection that sends its requests, one after the other."""

    def __init__(self, requests: list[bytes], done: "asyncio.Future[None]") -> None:
        self._requests = iter(requests)
        self._done = done
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if not self._buffer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            self._done.set_exception(RuntimeError(repr(self._buffer[:300])))
            self._transport.close()
            return
        if self._whole(head):
            self._buffer = b""
            self.ask()

    def _whole(self, head: int) -> bool:
        lower = self._buffer[:head].lower()
        place = lower.find(b"content-length: ")
        if place < 0:  # a chain that is sent in parts
            return self._buffer.endswith(b"\r\n0\r\n\r\n")
        size = int(lower[place + 16 :].split(b"\r\n")[0])
        return len(self._buffer) >= head + 4 + size


def signed(count: int) -> tuple[str, list[bytes], int]:
    """Where a new chain is, its events, and its bytes as JSONL."""
    signer = Signer(Seed(secrets.token_bytes(32)))
    chain = Chain.empty(signer.public)
    for number in range(count):
        payload = event_payload(chain, "add", add(f"github:alice{number}"), NOW + number)
        chain = chain.append(event_from_envelope(signer.sigchain_event(payload)))
    return f"/v1/sigchains/ed25519/{signer.public.hex}", [event.encoded for event in chain.events], chain.size


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def run(port: int, requests: list[list[bytes]]) -> float:
    """Seconds until every connection has sent all of its requests."""
    loop = asyncio.get_running_loop()
    waits = [loop.create_future() for _ in requests]
    askers = []
    for own, done in zip(requests, waits, strict=True):
        _, asker = await loop.create_connection(partial(Asker, own, done), "127.0.0.1", port)
        askers.append(asker)
    begun = time.perf_counter()
    for asker in askers:
        asker.ask()
    await asyncio.gather(*waits)
    return time.perf_counter() - begun


async def main(count: int, connections: int, append_port: int, read_port: int) -> None:
    chains = [signed(count) for _ in range(connections)]
    appends = [[post(path, event) for event in events] for path, events, _ in chains]
    reads = [[f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()] * count for path, _, _ in chains]
    append_seconds = await run(append_port, appends)
    read_seconds = await run(read_port, reads)
    total = count * connections
    say(
        {
            "appends": total,
            "append_seconds": append_seconds,
            "reads": total,
            "read_seconds": read_seconds,
            "bytes": chains[0][2],
        }
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*map(int, sys.argv[1:])))
