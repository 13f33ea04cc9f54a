"""Order and gaps of one stream: which numbers n came, which are missing.

Not here: messages themselves, and showing gaps. Invariants: nothing waits for a gap to close; a state is a
small value (at most `MAX_GAPS` ranges) whatever a sender does; numbers count from 1.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from kezd.kez.errors import BodyError
from kezd.kez.jcs import MAX_INT

MAX_GAPS: Final = 256

Gap: TypeAlias = tuple[int, int]  # first and last missing number, both included


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is known of a stream.

    Attributes:
        highest: the highest n that came, 0 before the first.
        missing: ranges below it that did not come, ascending, apart from each other.
    """

    highest: int = 0
    missing: tuple[Gap, ...] = ()


class Noted(NamedTuple):
    """What one arrival changed.

    Attributes:
        state: the state after it.
        opened: the range that is newly missing, if any.
        filled: True when it came late into a gap.
        duplicate: True when this n had come before.
    """

    state: StreamState
    opened: Gap | None
    filled: bool
    duplicate: bool


def note(state: StreamState, n: int) -> Noted:
    """Note that message n of a stream has come.

    A sender who skips every other number would make the state grow: beyond `MAX_GAPS` the two oldest gaps
    become one, which then also covers numbers that came.

    Raises:
        BodyError: n is not a number from 1 to 2^53-1.
    """
    if not 0 < n <= MAX_INT:
        raise BodyError("n counts from 1")
    if n > state.highest:
        return _ahead(state, n)
    for place, (first, last) in enumerate(state.missing):
        if first <= n <= last:
            rest = tuple(gap for gap in ((first, n - 1), (n + 1, last)) if gap[0] <= gap[1])
            missing = state.missing[:place] + rest + state.missing[place + 1 :]
            return Noted(StreamState(state.highest, _bounded(missing)), None, filled=True, duplicate=False)
    return Noted(state, None, filled=False, duplicate=True)


def _ahead(state: StreamState, n: int) -> Noted:
    if n == state.highest + 1:
        return Noted(StreamState(n, state.missing), None, filled=False, duplicate=False)
    gap = (state.highest + 1, n - 1)
    return Noted(StreamState(n, _bounded((*state.missing, gap))), gap, filled=False, duplicate=False)


def _bounded(missing: tuple[Gap, ...]) -> tuple[Gap, ...]:
    if len(missing) <= MAX_GAPS:
        return missing
    return ((missing[0][0], missing[1][1]), *missing[2:])
