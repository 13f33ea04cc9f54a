"""When receipts go out: at once while little comes in, in batches under load. Pure."""

WINDOW = 0.05
"""Seconds that a receipt may wait under load."""
EAGER = 64
"""Messages in one window up to which each batch is receipted at once."""
ENOUGH = 200
"""Receipts waiting that are sent without waiting for the window's end."""


class Pacer:
    """Decides for each batch of arrivals; times are monotonic seconds."""

    def __init__(self) -> None:
        self._window = 0.0
        self._count = 0
        self._before = 0
        self._waiting = 0

    def flush_with(self, arrivals: int, now: float) -> bool:
        """Whether receipts go out in the same transaction as so many arrivals."""
        if now >= self._window + WINDOW:
            self._before = self._count if now < self._window + 2 * WINDOW else 0
            self._window, self._count = now, 0
        self._count += arrivals
        self._waiting += arrivals
        if max(self._before, self._count) <= EAGER or self._waiting >= ENOUGH:
            self._waiting = 0
            return True
        return False

    def flushed(self) -> None:
        """What waited has gone out."""
        self._waiting = 0
