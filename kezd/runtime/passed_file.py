"""A file or pipe that somebody else opened and passed to us: read and written from a thread, with patience.

A client's other end may stand still for ever. Invariants: whoever waits for it can be
cancelled, gives up after `PATIENCE` without a byte, and never blocks Trio's thread; the
descriptor is closed exactly once. Flags of the open file are the client's too, so they
are left as they are: pipes get no more at once than fits when they say that they have room.
"""

import os
import select
import stat
from types import TracebackType
from typing import Final, Self

import trio

from kezd.errors import Slug, StoreError

PATIENCE: Final = 60.0
"""Seconds without a byte until the other end counts as gone."""
SLICE: Final = 0.2
"""Seconds between two looks at whether the call was cancelled."""


class PassedFile:
    """See the module. `read` and `write` are for threads that Trio started.

    Args:
        descriptor: ours from now on.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self.count = 0
        """Bytes read or written so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end only.

        Raises:
            OSError: it cannot be read.
            StoreError: `file_failed`, nothing came for too long.
        """
        self._wait(select.POLLIN)
        data = os.read(self._descriptor, size)
        self.count += len(data)
        return data

    def write(self, data: bytes, /) -> int:
        """Write all of it.

        Raises:
            OSError: it cannot be written.
            StoreError: `file_failed`, nothing was taken for too long.
        """
        rest = memoryview(data)
        while rest:
            self._wait(select.POLLOUT)
            written = os.write(self._descriptor, rest if self._regular else rest[: select.PIPE_BUF])
            rest = rest[written:]
        self.count += len(data)
        return len(data)

    def sync(self) -> None:
        """Make what was written durable, as far as this kind of file can be."""
        if self._regular:
            os.fsync(self._descriptor)

    def _wait(self, what: int) -> None:
        if self._regular:
            return
        poller = select.poll()
        poller.register(self._descriptor, what)
        for _ in range(int(PATIENCE / SLICE)):
            trio.from_thread.check_cancelled()
            if poller.poll(SLICE * 1000):
                return
        raise StoreError(Slug.FILE_FAILED, f"the other end did nothing for {PATIENCE:g} s")
