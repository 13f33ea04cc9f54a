"""The real RPC server on a real Unix socket, with a peer in memory behind it, and a raw client.

For tests of the socket: bytes in, bytes out.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, assert_never

import trio

from kezd.api.events import SESSION_CHANGED
from kezd.api.methods import METHODS, Method, Scope
from kezd.api.notifications import CONFIRMATION
from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.server import Server, open_server
from kezd.rpc.socket_file import bound_listener
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.settings import RpcSettings
from kezd.services.access import Confirmations, Tokens
from kezd.services.access.tokens import FULL_FILE
from kezd.testing.memory_peer import MemoryPeer

INITIALIZE = {"client": {"name": "test"}}


def secret_of(token: str | None) -> dict[str, str]:
    """The parameter, if there is a token."""
    return {} if token is None else {"token": token}


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
        """Write a request, return the next line; what is said of the profile's state is passed over."""
        await self.begin(method, **params)
        while (message := await self.receive()).get("method") == SESSION_CHANGED:
            pass
        return message

    async def answered(self, method: str, **params: Any) -> Any:
        """The same for a call that may want a yes, which this connection gives if it is asked."""
        asked = await self.begin(method, **params)
        while True:
            message = await self.receive()
            if message.get("id") == asked:
                return message
            if message.get("method") == CONFIRMATION:
                await self.begin(
                    "confirmations.answer", id=message["params"]["confirmation"]["id"], allow=True
                )


@dataclass
class Rpc:
    """A running server."""

    peer: MemoryPeer
    server: Server
    path: Path
    clock: Clock
    full: str
    """The person's own secret."""

    async def secret(self, scope: Scope) -> str | None:
        """What a client of that scope shows; None where it needs nothing."""
        match scope:
            case Scope.FULL:
                return self.full
            case Scope.CHAT:
                return None
            case Scope.READ:
                made = await self.peer.tokens.create(f"reader {token_hex(4)}", Scope.READ, None, None)
                return made.token
            case _:
                assert_never(scope)

    @asynccontextmanager
    async def connect(
        self, *, initialize: bool = True, scope: Scope = Scope.FULL, token: str | None = None
    ) -> AsyncIterator[RawClient]:
        """A raw connection: by default of the person, or with another scope, or with that token."""
        stream = await trio.open_unix_socket(str(self.path))
        async with stream:
            client = RawClient(stream)
            if initialize:
                secret = token or await self.secret(scope)
                answer = await client.call("session.initialize", **INITIALIZE, **secret_of(secret))
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
    clock: Clock | None = None,
    confirm_s: float = 60.0,
) -> AsyncIterator[Rpc]:
    """A server on `directory/run/kezd.sock` for the length of the block."""
    path = directory / "run" / "kezd.sock"
    clock = clock or SystemClock()
    data = directory / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    with bound_listener(path) as listener:
        async with Tokens.open(data, clock) as tokens:
            peer = MemoryPeer(tokens, Confirmations(clock, confirm_s), queue_limit)
            async with open_server(
                listener,
                peer,
                HANDLERS,
                limits or RpcSettings(),
                write_timeout=write_timeout,
                methods=methods,
            ) as server:
                full = (data / FULL_FILE).read_text().strip()
                yield Rpc(peer, server, path, clock, full)
