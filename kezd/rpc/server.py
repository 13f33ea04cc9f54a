"""The socket's server: accepts, checks who it is, serves each connection, stops politely.

A service like any other: it exists inside `async with open_server(...)`. What goes wrong
inside one connection ends that connection and nothing else.
"""

import logging
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from kezd.api.methods import METHODS, Method
from kezd.errors import AccessError, KezdError, RequestError, Slug
from kezd.rpc.accepting import accept_clients
from kezd.rpc.connection import Connection
from kezd.rpc.dispatch import Dispatcher, Handler
from kezd.rpc.guard import Summary
from kezd.rpc.handlers.summaries import SUMMARIES
from kezd.rpc.outbox import WRITE_TIMEOUT
from kezd.rpc.peercred import is_welcome, read_caller
from kezd.rpc.ports import Peer
from kezd.rpc.replies import encode_error
from kezd.runtime.settings import RpcSettings

log = logging.getLogger(__name__)

STOP_GRACE = 2.0
"""Seconds that running calls get when the daemon stops."""


class Server:
    """The open server."""

    def __init__(self, peer: Peer, dispatcher: Dispatcher, limits: RpcSettings, write_timeout: float) -> None:
        self._peer = peer
        self._dispatcher = dispatcher
        self._limits = limits
        self._write_timeout = write_timeout
        self._connections: set[Connection] = set()
        self._idle = trio.Event()
        self._crowded = False
        """Whether somebody was refused since the last one was let in: said once."""

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def handle(self, sock: socket.socket) -> None:
        """Serve one accepted connection to its end."""
        try:
            caller = read_caller(sock)
        except OSError as error:
            log.debug("a client was gone before it was known", extra={"cause": str(error)})
            sock.close()
            return
        if not is_welcome(caller):
            log.warning("refused a connection of another user", extra={"uid": caller.uid, "pid": caller.pid})
            _refuse(sock, AccessError(Slug.FORBIDDEN, "this socket is another user's"))
            return
        if len(self._connections) >= self._limits.connections:
            if not self._crowded:
                log.warning("refused a connection: too many", extra={"pid": caller.pid})
            self._crowded = True
            limit = self._limits.connections
            _refuse(sock, RequestError(Slug.BUSY, f"{limit} connections are open already"))
            return
        connection = Connection(sock, caller, self._peer, self._dispatcher, self._limits, self._write_timeout)
        self._connections.add(connection)
        self._crowded = False
        try:
            await connection.run()
        except Exception:  # a task root: this connection's bug is nobody else's end
            log.exception("a connection failed by a bug", extra={"pid": caller.pid})
        finally:
            self._connections.discard(connection)
            self._idle.set()

    async def drain(self, grace: float) -> None:
        """Read no more from anybody, and wait (bounded) until all running calls are answered."""
        for connection in tuple(self._connections):
            connection.stop()
        with trio.move_on_after(grace):
            while self._connections:
                self._idle = trio.Event()
                await self._idle.wait()


@asynccontextmanager
async def open_server(
    listener: socket.socket,
    peer: Peer,
    handlers: Mapping[str, Handler],
    limits: RpcSettings,
    *,
    write_timeout: float = WRITE_TIMEOUT,
    methods: Sequence[Method] = METHODS,
    summaries: Mapping[str, Summary] = SUMMARIES,
) -> AsyncIterator[Server]:
    """Serve the listening Unix socket for the length of the block.

    Args:
        listener: listening; stays the caller's to close and to remove.
        peer: what the handlers speak for.
        handlers: one for each method of the table.
        limits: caps.
        write_timeout: seconds without progress after which a client that reads nothing is left.
        methods: the table.
        summaries: what a person is told before a call that wants a confirmation.
    """
    server = Server(peer, Dispatcher(handlers, methods, summaries), limits, write_timeout)
    async with trio.open_nursery() as connections, trio.open_nursery() as accept:

        def take(sock: socket.socket) -> None:
            connections.start_soon(server.handle, sock)

        accept.start_soon(accept_clients, listener, take)
        try:
            yield server
        finally:
            accept.cancel_scope.cancel()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_GRACE + 1):
                await server.drain(STOP_GRACE)
            connections.cancel_scope.cancel()


def _refuse(sock: socket.socket, error: KezdError) -> None:
    """Say why, as far as the kernel takes it at once, and close."""
    with sock:
        sock.setblocking(False)
        try:
            sock.send(encode_error(error, None) + b"\n")
        except OSError as gone:
            log.debug("a refused client was gone already", extra={"cause": str(gone)})
