"""What waits to be written to one connection, bounded, and never waited for by others.

`put` and `flush` never block: bytes go straight to the kernel when it takes them, which
is nearly always, and the rest is left to `run`. Whoever produces without being asked
(subscriptions, the reader) waits in `wait_room` while too much is waiting. A reader that
takes nothing for `timeout` seconds has its connection broken off.
"""

import fcntl
import socket
import sys
import termios
from collections import deque

import trio

HIGH_WATER = 512 * 1024
"""Bytes that may wait before producers are held up."""
PIECE = 32 * 1024
"""Bytes handed to the kernel at once."""
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
            sent = _send(self._sock, data)
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
        unread = self._unread()
        with trio.move_on_after(self._timeout) as scope:
            await trio.lowlevel.wait_writable(self._sock)
        # A socket becomes writable only when three quarters of it are free: a slow reader needs longer than that.
        if scope.cancelled_caught and self._unread() >= unread:
            self.broken = True
            self._drop()
            return
        self.flush()

    def _unread(self) -> int:
        """Bytes that the kernel holds until the other side takes them (unix(7), SIOCOUTQ)."""
        try:
            return int.from_bytes(fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0

    def _drop(self) -> None:
        self._chunks.clear()
        self._size = 0
        self._progress.set()


def _send(sock: socket.socket, data: bytes) -> int:
    """Give the kernel what it takes now; how much that was.

    In pieces, because the kernel lets go of a piece only when all of it was read, and that is how a
    slow reader is told from one that reads nothing.
    """
    if len(data) <= PIECE:
        try:
            return sock.send(data)
        except BlockingIOError:
            return 0
    sent, rest = 0, memoryview(data)
    while sent < len(data):
        try:
            taken = sock.send(rest[sent : sent + PIECE])
        except BlockingIOError:
            break
        sent += taken
        if taken < PIECE:
            break
    return sent
