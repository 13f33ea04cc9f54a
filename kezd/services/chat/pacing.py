"""When receipts go out: at once while little comes in, in batches under load. Pure."""

WINDOW = 0.05
"""Seconds that a receipt may wait under load."""
EAGER = 64
"""Receipts owed in one window up to which none of them waits."""
ENOUGH = 200
"""Receipts waiting that are sent without waiting for the window's end."""


class Pacer:
    """Counts what is owed; times are monotonic seconds."""

    def __init__(self) -> None:
        self._window = 0.0
        self._count = 0
        self._before = 0
        self._waiting = 0

    def owe(self, receipts: int, now: float) -> None:
        """So many more are owed."""
        if now >= self._window + WINDOW:
            self._before = self._count if now < self._window + 2 * WINDOW else 0
            self._window, self._count = now, 0
        self._count += receipts
        self._waiting += receipts

    @property
    def enough(self) -> bool:
        """Whether so many wait that they fill a receipt."""
        return self._waiting >= ENOUGH

    @property
    def delay(self) -> float:
        """Seconds that it pays to wait for more."""
        loaded = max(self._before, self._count) > EAGER
        return WINDOW if loaded and not self.enough else 0.0

    def flush(self) -> None:
        """All that wait go out now."""
        self._waiting = 0
