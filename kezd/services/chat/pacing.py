"""When to do what is better done for many at once: immediately when idle, in batches under load.

Pure. Used for receipts, and for writing down what the transport accepted.
"""

WINDOW = 0.05
"""Seconds that load is measured over, and that something may wait under load."""
EAGER = 64
"""Things in one window up to which none of them waits."""


class Pacer:
    """Counts what is owed; times are monotonic seconds.

    Args:
        enough: how many waiting ones are done without waiting for the window's end.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._window = 0.0
        self._count = 0
        self._before = 0
        self._waiting = 0

    def owe(self, count: int, now: float) -> None:
        """So many more are owed."""
        if now >= self._window + WINDOW:
            self._before = self._count if now < self._window + 2 * WINDOW else 0
            self._window, self._count = now, 0
        self._count += count
        self._waiting += count

    @property
    def enough(self) -> bool:
        """Whether so many wait that more would not make it cheaper."""
        return self._waiting >= self._enough

    @property
    def delay(self) -> float:
        """Seconds that it pays to wait for more."""
        loaded = max(self._before, self._count) > EAGER
        return WINDOW if loaded and not self.enough else 0.0

    def flush(self) -> None:
        """All that wait are done now."""
        self._waiting = 0
