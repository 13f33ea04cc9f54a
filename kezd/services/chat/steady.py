"""A wall clock that does not jump: where the wall stood at the start, plus monotonic seconds.

Pauses, republishing and expiry are counted by it, so that setting the machine's clock
while kezd runs neither floods nor expires anything.
"""

from kezd.runtime.clock import Clock


class SteadyClock:
    """Unix seconds that only go forward at the speed of the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()

    def now(self) -> float:
        """Unix seconds as if nobody had touched the wall clock since the start."""
        return self._offset + self._clock.monotonic()
