"""The real RPC server on a real Unix socket, with a peer in memory behind it, and a raw client.

For tests of the socket: bytes in, bytes out.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from kezd.api.methods import METHODS, Method
from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.server import Server, open_server
from kezd.rpc.socket_file import bound_listener
from kezd.runtime.settings import RpcSettings
from kezd.testing.memory_peer import MemoryPeer

INITIALIZE = {"client": {"name": "test"}}


class RawClient:
    """A connection that sends what it is told, whatever that is."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""
        self._last_id = 0

    async def send(self, data: bytes) -> None:
        """Write bytes."""
        await self.stream.send_all(data)

    async def receive(self) -> Any:
        """The next line, decoded.

        Raises:
            EOFError: the server closed.
        """
        while b"\n" not in self._buffer:
            try:
                data = await self.stream.receive_some(65536)
            except trio.BrokenResourceError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    async def ask(self, data: bytes) -> Any:
        """Write a line, return the next one."""
        await self.send(data + b"\n")
        return await self.receive()

    async def begin(self, method: str, **params: Any) -> int:
        """Write a request and return its id."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        await self.send(json.dumps(request).encode() + b"\n")
        return self._last_id

    async def call(self, method: str, **params: Any) -> Any:
        """Write a request, return the next line."""
        await self.begin(method, **params)
        return await self.receive()


@dataclass
class Rpc:
    """A running server."""

    peer: MemoryPeer
    server: Server
    path: Path

    @asynccontextmanager
    async def connect(self, *, initialize: bool = True) -> AsyncIterator[RawClient]:
        """A raw connection."""
        stream = await trio.open_unix_socket(str(self.path))
        async with stream:
            client = RawClient(stream)
            if initialize:
                answer = await client.call("session.initialize", **INITIALIZE)
                assert "result" in answer, answer
            yield client


@asynccontextmanager
async def open_rpc(
    directory: Path,
    *,
    limits: RpcSettings | None = None,
    write_timeout: float = 30.0,
    queue_limit: int = 1024,
    methods: Sequence[Method] = METHODS,
) -> AsyncIterator[Rpc]:
    """A server on `directory/run/kezd.sock` for the length of the block."""
    path = directory / "run" / "kezd.sock"
    peer = MemoryPeer(queue_limit)
    with bound_listener(path) as listener:
        async with open_server(
            listener, peer, HANDLERS, limits or RpcSettings(), write_timeout=write_timeout, methods=methods
        ) as server:
            yield Rpc(peer, server, path)
