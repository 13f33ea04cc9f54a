"""Where a peer under test can be made to kill itself, and the fuse that does it."""

import os
import signal
from enum import StrEnum


class Point(StrEnum):
    """Where it dies."""

    QUEUED = "queued"
    """An outgoing message was committed; nobody was told."""
    SENDING = "sending"
    """An envelope is about to be handed to the transport."""
    PUBLISHED = "published"
    """The broker has acknowledged an envelope; the peer has not taken note."""
    RECEIVED = "received"
    """Envelopes were taken from the broker, and not stored."""
    STORED = "stored"
    """A received message was committed, and not acknowledged."""
    ACKED = "acked"
    """Acknowledgements were handed to the transport."""
    COMMIT = "commit"
    """Anything was committed."""

    def at(self, count: int) -> str:
        """How the program's first argument names the `count`-th time."""
        return f"{self.value}:{count}"


class Fuse:
    """Counts the times that a point is passed and kills at the chosen one."""

    def __init__(self, point: Point, count: int) -> None:
        self.point = point
        self._left = count

    @classmethod
    def parse(cls, text: str) -> "Fuse":
        """Read `POINT:N`."""
        point, _, count = text.partition(":")
        return cls(Point(point), int(count))

    def passed(self, *points: Point) -> None:
        """Die here, if it is time."""
        if self.point not in points:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
