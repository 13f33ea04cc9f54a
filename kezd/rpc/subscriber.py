"""One subscription while it lives: what it wants, how far it is, and how its events are written.

Not here: sending (`subscriptions`). Invariant: `position` never goes back, and no event
with a seq up to it is sent.
"""

import trio

from kezd.api.events import EVENT
from kezd.api.types import EndReason
from kezd.rpc.ports import EventLog
from kezd.rpc.replies import encode_event, event_head
from kezd.runtime.bus import Event, Subscription


class Subscriber:
    """See the module."""

    __slots__ = (
        "_head",
        "ended",
        "events",
        "follow",
        "live",
        "name",
        "position",
        "reason",
        "scope",
        "topics",
        "until",
    )

    def __init__(
        self,
        name: str,
        events: EventLog,
        topics: frozenset[str],
        live: Subscription,
        position: int,
        until: int,
        *,
        follow: bool,
    ) -> None:
        self.name = name
        self.events = events
        self.topics = topics
        self.live = live
        self.position = position
        """Seq of the last event that was sent or is not for this subscriber."""
        self.until = until
        """Where the replay ends."""
        self.follow = follow
        """Whether it goes on after the replay."""
        self.scope = trio.CancelScope()
        self.ended = False
        """Nothing of it is sent any more, but perhaps the reason."""
        self.reason: EndReason | None = None
        self._head = event_head(EVENT, name, events.epoch)

    def encode(self, event: Event) -> bytes:
        """The notification for an event."""
        return encode_event(self._head, event.seq, event.topic, event.encoded, event.body)

    def end(self) -> None:
        """Send no more."""
        self.ended = True
        self.scope.cancel()

    def lose(self, reason: EndReason) -> None:
        """Send no more but why."""
        if not self.ended:
            self.reason = reason
            self.end()
