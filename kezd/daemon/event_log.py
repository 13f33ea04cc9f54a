"""The event log of an open profile, as the socket reads it: places in it, consumers, snapshots.

The composition of the log with what a front-end draws first. Not here: sending
(`kezd.rpc.subscriptions`) and cutting off the old end (`housekeeping`). Invariants: a
snapshot and the head it names are read in one transaction; at most one subscription
listens under a name.
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from kezd.api import types as t
from kezd.runtime.bus import Event, Subscription
from kezd.runtime.clock import Clock
from kezd.services.chat.history import ChatHistory
from kezd.services.identity.service import Identity
from kezd.store import consumers, events, overview
from kezd.store.consumers import Lag
from kezd.store.database import Database, Transaction
from kezd.store.events import Span

MILLISECONDS = 1000
Lose = Callable[[t.EndReason], None]


@dataclass(frozen=True, slots=True)
class Views:
    """Who is asked for a snapshot."""

    identity: Identity
    history: ChatHistory
    links: Callable[[], list[t.LinkHealth]]


class EventLog:
    """See the module."""

    def __init__(self, db: Database, clock: Clock, views: Views) -> None:
        self._db = db
        self._views = views
        self.consumers = Consumers(db, clock)

    @property
    def epoch(self) -> str:
        """Names this log."""
        return self._db.epoch

    def subscribe(self, topics: Iterable[str]) -> AbstractContextManager[Subscription]:
        """A queue of what is committed from now on."""
        return self._db.bus.subscribe(topics)

    async def bounds(self) -> tuple[int, int]:
        """First and last seq kept; `(1, 0)` before the first event."""
        return _bounds(await self._db.read(events.span))

    async def snapshot(self) -> tuple[int, int, t.Snapshot]:
        """The bounds, and the state exactly as it is after the last event; links as they are now."""
        span, shown = await self._db.read(self._look)
        return *_bounds(span), shown(self._views.links())

    async def after(self, seq: int, topics: Collection[str], limit: int) -> tuple[int, list[Event]]:
        """The oldest seq kept, and what follows `seq`."""
        return await self._db.read(lambda tx: (events.span(tx).oldest, events.after(tx, seq, topics, limit)))

    def _look(self, tx: Transaction) -> tuple[Span, Callable[[list[t.LinkHealth]], t.Snapshot]]:
        counts = overview.count(tx)
        return events.span(tx), partial(
            _snapshot, self._views.identity.shown(tx), self._views.history.latest(tx), counts
        )


def _snapshot(
    identity: t.IdentityResult,
    conversations: t.ConversationsResult,
    counts: overview.Counts,
    links: list[t.LinkHealth],
) -> t.Snapshot:
    return t.Snapshot(
        identity=identity,
        conversations=conversations,
        unread=counts.unread,
        contacts=t.ContactCounts(
            accepted=counts.accepted, requests=counts.requests, blocked=counts.blocked, alarms=counts.alarms
        ),
        links=links,
    )


def _bounds(span: Span) -> tuple[int, int]:
    return span.oldest or 1, span.head


class Consumers:
    """Named places in the log, and who listens under each name."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._holders: dict[str, Lose] = {}
        self._left_at: dict[str, float] = {}

    async def resume(self, name: str, topics: Collection[str], begin: int) -> int:
        """What the consumer is done with; made at `begin` if there is none of that name.

        Raises:
            RequestError: `invalid_argument` when there are too many.
        """
        return await self._db.write(partial(consumers.resume, name=name, topics=topics, begin=begin))

    def hold(self, name: str, lose: Lose) -> Callable[[], None]:
        """Listen under a name, and end whoever did; the function returned lets go."""
        self._end(name, "taken_over")
        self._holders[name] = lose

        def let_go() -> None:
            if self._holders.get(name) is lose:
                del self._holders[name]
                self._left_at[name] = self._clock.now()

        return let_go

    async def ack(self, name: str, seq: int) -> int:
        """Done with everything up to `seq`; its place now, durably.

        Raises:
            RequestError: `not_found`, `invalid_argument` beyond the head.
        """
        return await self._db.write(partial(consumers.ack, name=name, seq=seq))

    async def list(self) -> list[t.Consumer]:
        """All of them, by name."""
        oldest, lags = await self._db.read(lambda tx: (events.span(tx).oldest, consumers.lags(tx)))
        return [self._shown(lag, oldest) for lag in lags]

    async def forget(self, name: str) -> None:
        """Drop the name, and end who listens under it.

        Raises:
            RequestError: `not_found`.
        """
        await self._db.write(partial(consumers.forget, name=name))
        self._end(name, "forgotten")
        self._left_at.pop(name, None)

    def _end(self, name: str, reason: t.EndReason) -> None:
        holder = self._holders.pop(name, None)
        if holder is not None:
            holder(reason)

    def _shown(self, lag: Lag, oldest: int) -> t.Consumer:
        one, connected = lag.consumer, lag.consumer.name in self._holders
        left_at = self._clock.now() if connected else self._left_at.get(one.name, 0.0)
        return t.Consumer(
            name=one.name,
            topics=list(one.topics),
            acked=one.acked,
            lag=lag.events,
            lost=one.acked + 1 < oldest,
            connected=connected,
            created_at=int(one.created_at * MILLISECONDS),
            last_seen=int(max(one.last_seen_at, left_at) * MILLISECONDS),
        )
