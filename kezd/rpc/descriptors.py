"""Open files that came with a line (`SCM_RIGHTS`): kept until a call takes them, closed otherwise.

They belong to the last message that had begun when they were read: a client sends the line
and its descriptors with one `sendmsg`, which holds no other line. Invariants: each
descriptor is closed exactly once, by the call that took it or by us; all are close-on-exec;
no message has more than `PER_MESSAGE`, no connection keeps more than `PER_CONNECTION`.
"""

import array
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

from kezd.errors import RequestError, Slug

PER_MESSAGE = 16
PER_CONNECTION = 64
_INT = array.array("i").itemsize
ANCILLARY_BYTES = socket.CMSG_SPACE(PER_MESSAGE * _INT)
"""Room for the descriptors of one message; the kernel closes what does not fit, and says so."""

# Plain integers: the enumeration's operators cost more than the system call.
CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)
TRUNCATED = int(socket.MSG_CTRUNC)

Ancillary = list[tuple[int, int, bytes]]


class Bundle:
    """The descriptors of one message."""

    def __init__(self, descriptors: list[int], released: Callable[[int], None]) -> None:
        self._descriptors: list[int | None] = list(descriptors)
        self._released = released

    def take(self, index: int) -> int:
        """Hand over one descriptor: whoever takes it closes it.

        Raises:
            RequestError: `invalid_argument` when there is none of that index, or no more.
        """
        descriptor = self._at(index)
        self._descriptors[index] = None
        self._released(1)
        return descriptor

    def name(self, index: int) -> str:
        """What the kernel calls an open file: its path now, or its kind, such as `pipe:[7]`.

        Raises:
            RequestError: as `take`.
        """
        return str(Path(f"/proc/self/fd/{self._at(index)}").readlink())

    def _at(self, index: int) -> int:
        descriptor = self._descriptors[index] if 0 <= index < len(self._descriptors) else None
        if descriptor is None:
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                f"`fd`: {index} is none of the {len(self._descriptors)} descriptors that came with this line",
                hint="send descriptors with the same sendmsg as the line, and use each once",
                detail={"field": "fd"},
            )
        return descriptor

    def close(self) -> None:
        """Close what nobody took."""
        for index, descriptor in enumerate(self._descriptors):
            if descriptor is not None:
                self._descriptors[index] = None
                os.close(descriptor)
                self._released(1)


class Descriptors:
    """All descriptors of a connection that nobody has taken yet."""

    def __init__(self) -> None:
        self.kept = 0
        self.arrived: Bundle | None = None
        """Received, and not yet said to which message they belong."""
        self.waiting: deque[tuple[int, Bundle]] = deque()
        """What waits for its message, which is counted from 1."""

    def receive(self, ancillary: Ancillary, flags: int) -> None:
        """Keep what came along.

        Args:
            ancillary: as `recvmsg` gave it.
            flags: as `recvmsg` gave them.

        Raises:
            RequestError: `too_large`; they are closed, and the stream cannot go on.
        """
        arrived = _descriptors_in(ancillary)
        self.kept += len(arrived)
        bundle = Bundle(arrived, self._release)
        if flags & TRUNCATED:
            bundle.close()
            raise RequestError(
                Slug.TOO_LARGE,
                f"descriptors were lost: a message has at most {PER_MESSAGE}, or kezd has no room for more",
            )
        if self.kept > PER_CONNECTION:
            bundle.close()
            raise RequestError(
                Slug.TOO_LARGE, f"more than {PER_CONNECTION} descriptors that no call has taken"
            )
        self.arrived = bundle

    def await_message(self, taken: int, begun: int) -> None:
        """What has arrived belongs to the last message begun.

        Args:
            taken: messages of this connection that were taken out of the stream.
            begun: messages that were not, the one that is not whole included.

        Raises:
            RequestError: `invalid_argument` when that cannot be; they are closed.
        """
        bundle, self.arrived = self.arrived, None
        message = taken + begun
        if bundle is None:
            return
        if not begun or (self.waiting and self.waiting[-1][0] == message):
            bundle.close()
            raise RequestError(
                Slug.INVALID_ARGUMENT, "descriptors come with one sendmsg, which begins their line"
            )
        self.waiting.append((message, bundle))

    def of(self, message: int) -> Bundle | None:
        """Those that came with that message, which is the next one."""
        if not self.waiting or self.waiting[0][0] != message:
            return None
        return self.waiting.popleft()[1]

    def close(self) -> None:
        """Close what waits for a message that never came whole."""
        if self.arrived is not None:
            self.arrived.close()
        while self.waiting:
            self.waiting.popleft()[1].close()

    def _release(self, count: int) -> None:
        self.kept -= count


def _descriptors_in(ancillary: Ancillary) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % _INT])
    return found.tolist()
