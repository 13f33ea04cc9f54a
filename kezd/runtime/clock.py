"""Time as an argument: the one place that reads the machine's clocks.

Wall time is for people and for signed dates, monotonic time for intervals; a jump of
the wall clock never changes an interval.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What everything that needs time is handed."""

    def now(self) -> float:
        """Unix seconds, wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds since some point, never going back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Unix seconds, wall clock."""
        return time.time()  # noqa: TID251 - the one reader of the wall clock

    def monotonic(self) -> float:
        """Seconds since boot."""
        return time.monotonic()
