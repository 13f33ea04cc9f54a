"""How long to wait before the next attempt: exponential, jittered, with a ceiling.

Pure bookkeeping: it never sleeps and knows no reason; whoever retries decides what is
worth retrying and when a run was long enough to start over.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

Uniform = Callable[[float, float], float]
"""A draw between two numbers, as `random.uniform`."""


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Delays in seconds: from `first`, times `factor` each time, to `ceiling`.

    A delay is drawn between `1 - jitter` and 1 times the nominal one, never below `floor`.
    """

    first: float
    ceiling: float
    factor: float = 2.0
    jitter: float = 0.5
    floor: float = 0.0


class Backoff:
    """The delays of one run of failures."""

    def __init__(self, policy: BackoffPolicy, uniform: Uniform | None = None) -> None:
        self._policy = policy
        self._uniform = secrets.SystemRandom().uniform if uniform is None else uniform
        self._nominal = policy.first

    def next_delay(self) -> float:
        """Seconds to wait now; the next one is longer."""
        nominal = self._nominal
        self._nominal = min(nominal * self._policy.factor, self._policy.ceiling)
        return max(self._uniform(nominal * (1 - self._policy.jitter), nominal), self._policy.floor)

    def reset(self) -> None:
        """It worked: the next failure waits briefly again."""
        self._nominal = self._policy.first
