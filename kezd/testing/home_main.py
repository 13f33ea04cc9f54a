"""`kezd-home` with a shifted clock, as a program: `python -m kezd.testing.home_main OFFSET ARGUMENT…`.

A composition root for tests: production code takes its clock as an argument and has no hook.
"""

import sys

from kezd.home.main import run
from kezd.runtime.clock import SystemClock


class ShiftedClock:
    """The machine's clocks, the wall clock `offset` seconds off."""

    def __init__(self, offset: float) -> None:
        self._offset = offset
        self._system = SystemClock()

    def now(self) -> float:
        """Unix seconds, shifted."""
        return self._system.now() + self._offset

    def monotonic(self) -> float:
        """Not shifted."""
        return self._system.monotonic()


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], ShiftedClock(float(sys.argv[1]))))
