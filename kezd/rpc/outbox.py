"""What waits to be written to one connection, bounded, and never waited for by others.

`put` and `flush` never block: bytes go straight to the kernel when it takes them, which
is nearly always, and the rest is left to `run`. Whoever produces without being asked
(subscriptions, the reader) waits in `wait_room` while too much is waiting. A reader that
takes nothing for `timeout` seconds has its connection broken off.
"""

import socket
from collections import deque

import trio

HIGH_WATER = 512 * 1024
"""Bytes that may wait before producers are held up."""
WRITE_TIMEOUT = 30.0
"""Seconds without any progress until the connection is given up."""


class BrokenConnectionError(Exception):
    """The other side is gone, or takes nothing."""


class Outbox:
    """The writing half of a connection."""

    def __init__(self, sock: socket.socket, timeout: float = WRITE_TIMEOUT) -> None:
        self._sock = sock
        self._timeout = timeout
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._work = trio.Event()
        self._progress = trio.Event()
        self.broken = False

    @property
    def full(self) -> bool:
        """Whether producers should wait."""
        return self._size > HIGH_WATER

    def put(self, data: bytes) -> None:
        """Queue bytes; they leave with the next `flush`."""
        self._chunks.append(data)
        self._size += len(data)

    def flush(self) -> None:
        """Give the kernel what it takes now; `run` does the rest."""
        if not self._chunks:
            return
        if self.broken:
            self._drop()
            return
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.broken = True
            self._work.set()
            self._drop()
            return
        self._size = len(data) - sent
        if sent < len(data):
            self._chunks.append(data[sent:])
            self._work.set()
        self._progress.set()

    async def wait_room(self) -> None:
        """Wait until little enough is waiting, or the connection is broken."""
        self.flush()
        while self.full and not self.broken:
            await self._wait_progress()

    async def wait_empty(self) -> None:
        """Wait until everything has left, or the connection is broken."""
        while self._chunks and not self.broken:
            await self._wait_progress()

    async def run(self) -> None:
        """Write what the kernel did not take at once, for as long as the connection lives.

        Raises:
            BrokenConnectionError: the other side is gone or takes nothing.
        """
        while True:
            while self._chunks:
                await self._write_some()
            self._work = trio.Event()
            if self.broken:
                raise BrokenConnectionError
            await self._work.wait()

    async def _wait_progress(self) -> None:
        if self._progress.is_set():
            self._progress = trio.Event()
        await self._progress.wait()

    async def _write_some(self) -> None:
        with trio.move_on_after(self._timeout) as scope:
            await trio.lowlevel.wait_writable(self._sock)
        if scope.cancelled_caught:
            self.broken = True
            self._drop()
            return
        self.flush()

    def _drop(self) -> None:
        self._chunks.clear()
        self._size = 0
        self._progress.set()
