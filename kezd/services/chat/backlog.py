"""Which rows of the outbox to read next: bookkeeping without I/O.

Normally a new envelope goes from its commit straight to the senders. The backlog is what
does not: rows from before the start or from while the link was down (one walk over all),
and threads that are held back after a refusal (one walk each, when their pause is over).
Invariants: within a thread, rows go out in the order of their ids; a row that was turned
away here is read from the database later, because the walk that passed it is not over
until it has read an empty page with nothing turned away since.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kezd.runtime.backoff import Backoff, BackoffPolicy
from kezd.store.outbox import FIRST

PROBE = 4
"""Rows tried after a pause, before the rest."""


@dataclass(slots=True)
class Walk:
    """A walk over queued rows in the order of their ids."""

    conversation: int | None
    """None: of all threads."""
    after: int = FIRST
    turned_away: bool = False

    def read(self, last: int | None) -> bool:
        """A page was read up to that id (None: it was empty); returns whether the walk is over.

        It begins again when rows were turned away meanwhile: a receipt's id may be smaller.
        """
        if last is not None:
            self.after = last
            return False
        over = not self.turned_away
        self.after, self.turned_away = FIRST, False
        return over


@dataclass(slots=True)
class _Hold:
    until: float
    backoff: Backoff
    walk: Walk
    probed: bool = False


class Backlog:
    """Walks and holds. Times are seconds of any steady clock."""

    def __init__(self, policy: BackoffPolicy, uniform: Callable[[float, float], float] | None = None) -> None:
        self._policy = policy
        self._uniform = uniform
        self._holds: dict[int, _Hold] = {}
        self.everything: Walk | None = Walk(None)
        """The walk over all threads, None when it has caught up."""

    def admits(self, conversation: int) -> bool:
        """Whether a new row may go straight out; if not, a walk will come to it."""
        if self.everything is not None:
            self.everything.turned_away = True
            return False
        hold = self._holds.get(conversation)
        if hold is not None:
            hold.walk.turned_away = True
            return False
        return True

    def overflow(self, row: int) -> None:
        """That new row was not taken for want of room; all before it are in hand or held."""
        if self.everything is None:
            self.everything = Walk(None, after=row - 1)
        else:
            self.everything.turned_away = True

    def start_over(self) -> None:
        """The link is back: forget every pause."""
        self._holds.clear()
        self.everything = Walk(None)

    @property
    def has_holds(self) -> bool:
        """Whether rows of any thread wait."""
        return bool(self._holds)

    def is_held(self, conversation: int) -> bool:
        """Whether rows of that thread wait for a pause to end (or for their walk to reach them)."""
        return conversation in self._holds

    def is_paused(self, conversation: int, now: float) -> bool:
        """Whether nothing of that thread should go out yet."""
        hold = self._holds.get(conversation)
        return hold is not None and now < hold.until

    def is_current(self, walk: Walk) -> bool:
        """Whether nothing has put another walk in the place of this one."""
        if walk.conversation is None:
            return self.everything is walk
        hold = self._holds.get(walk.conversation)
        return hold is not None and hold.walk is walk

    def hold(self, conversation: int, now: float) -> None:
        """A row of that thread was not taken: pause it, longer each time in a row."""
        hold = self._holds.get(conversation)
        if hold is None:
            hold = _Hold(0.0, Backoff(self._policy, self._uniform), Walk(conversation))
            self._holds[conversation] = hold
        if now >= hold.until:
            hold.until = now + hold.backoff.next_delay()
        hold.walk = Walk(conversation)
        hold.probed = False

    def hurry(self, conversation: int) -> None:
        """Something about that contact changed: try now."""
        hold = self._holds.get(conversation)
        if hold is not None:
            hold.until = 0.0
            hold.backoff.reset()

    def ready(self, now: float, in_hand: Callable[[int], bool]) -> Walk | None:
        """A held thread whose next page may be read: its pause is over and nothing of it is in hand."""
        for conversation, hold in self._holds.items():
            if now >= hold.until and not in_hand(conversation):
                return hold.walk
        return None

    def page_size(self, walk: Walk, full: int) -> int:
        """Rows to read: few on the first try after a pause."""
        if walk.conversation is None:
            return full
        hold = self._holds.get(walk.conversation)
        if hold is None or hold.probed:
            return full
        hold.probed = True
        return PROBE

    def finish(self, walk: Walk) -> None:
        """That current walk is over."""
        if walk.conversation is None:
            self.everything = None
        else:
            del self._holds[walk.conversation]

    def next_due(self, in_hand: Callable[[int], bool]) -> float | None:
        """When the first pause ends, of threads with nothing in hand."""
        return min((hold.until for c, hold in self._holds.items() if not in_hand(c)), default=None)
