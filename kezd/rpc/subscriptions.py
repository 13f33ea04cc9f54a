"""Subscriptions of one connection: replay from the log, then live, without gap or double.

The live queue is opened before the log is looked at, so that an event is either in the
log already or still to come in the queue; seqs say which were both. A subscriber that
falls behind loses its subscription (`events.lagged`), not events: it comes back with the
seq it was told. Nothing here is ever waited for by a writer of events.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import trio

from kezd.api.events import EVENT, LAGGED, Topic
from kezd.errors import RequestError, Slug
from kezd.rpc.outbox import Outbox
from kezd.rpc.ports import EventLog
from kezd.rpc.replies import encode_notification
from kezd.runtime.bus import Event, Subscription

log = logging.getLogger(__name__)

REPLAY_PAGE = 256
"""Events read from the log at once."""
SUBSCRIPTIONS = 32
"""Of one connection."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subscription begins: `live` events have a greater seq than `seq`."""

    subscription: str
    epoch: str
    seq: int
    replayed_from: int | None


class Subscriptions:
    """All subscriptions of a connection."""

    def __init__(self, nursery: trio.Nursery, outbox: Outbox, wrap: Callable[[bytes], bytes]) -> None:
        self._nursery = nursery
        self._outbox = outbox
        self._wrap = wrap
        self._open: dict[str, _Subscriber] = {}
        self._count = 0
        self._held = 0
        self._released = trio.Event()
        self._released.set()

    def hold(self) -> None:
        """Let no notification out before `release`: an answer that names a subscription comes first."""
        if not self._held:
            self._released = trio.Event()
        self._held += 1

    def release(self) -> None:
        """The answers are on their way."""
        self._held -= 1
        if not self._held:
            self._released.set()

    async def open(self, events: EventLog, topics: list[str], epoch: str | None, since: int) -> Place:
        """Begin a subscription; its events follow the answer.

        Args:
            events: the profile's log.
            topics: checked names.
            epoch: of the client's cursor, None to begin live.
            since: the seq after which to replay, if there is an epoch.

        Raises:
            RequestError: `cannot_replay`, `busy`.
        """
        if len(self._open) >= SUBSCRIPTIONS:
            raise RequestError(Slug.BUSY, f"{SUBSCRIPTIONS} subscriptions are open on this connection")
        with ExitStack() as stack:
            live = stack.enter_context(events.subscribe(topics))
            first, last = await events.bounds()
            position = last
            if epoch is not None:
                if epoch != events.epoch or since > last or since + 1 < first:
                    raise RequestError(
                        Slug.CANNOT_REPLAY,
                        detail={"epoch": events.epoch, "first_seq": first, "last_seq": last},
                    )
                position = since
            self._count += 1
            name = f"s{self._count}"
            subscriber = _Subscriber(name, events, frozenset(topics), live, stack.pop_all(), position, last)
            self._open[name] = subscriber
        # The task first runs after the caller has queued its answer, as nothing awaits in between.
        self._nursery.start_soon(self._run, subscriber)
        return Place(name, events.epoch, last, None if epoch is None else since + 1)

    def close(self, name: str) -> None:
        """End a subscription; nothing of it is sent any more.

        Raises:
            RequestError: `not_found`.
        """
        subscriber = self._open.pop(name, None)
        if subscriber is None:
            raise RequestError(Slug.NOT_FOUND, "no such subscription on this connection")
        subscriber.ended = True
        subscriber.scope.cancel()

    async def _run(self, subscriber: "_Subscriber") -> None:
        with subscriber.resources, subscriber.scope:
            await self._released.wait()
            if not await self._replay(subscriber) or not await self._live(subscriber):
                self._send_lagged(subscriber)
        self._open.pop(subscriber.name, None)

    async def _replay(self, subscriber: "_Subscriber") -> bool:
        """Send what the log has up to `subscriber.until`; False when a part is gone from it."""
        while subscriber.position < subscriber.until:
            await self._outbox.wait_room()
            oldest, page = await subscriber.events.after(subscriber.position, subscriber.topics, REPLAY_PAGE)
            if oldest > subscriber.position + 1:
                return False
            self._send(subscriber, page)
            whole = len(page) < REPLAY_PAGE
            subscriber.position = max(subscriber.until if whole else 0, page[-1].seq if page else 0)
        return True

    async def _live(self, subscriber: "_Subscriber") -> bool:
        """Send what is committed from now on; returns (False) when the subscriber lagged."""
        while batch := await subscriber.live.receive_batch():
            self._send(subscriber, [e for e in batch if not e.seq or e.seq > subscriber.position])
            subscriber.position = max(subscriber.position, batch[-1].seq)
            await self._outbox.wait_room()
        return not subscriber.live.lagged

    def _send(self, subscriber: "_Subscriber", events: list[Event]) -> None:
        if subscriber.ended:
            return
        for event in events:
            params = {
                "subscription": subscriber.name,
                "epoch": subscriber.events.epoch,
                "seq": event.seq,
                "topic": event.topic,
                "event": event.body,
            }
            self._outbox.put(self._wrap(encode_notification(EVENT, params)))
        self._outbox.flush()

    def _send_lagged(self, subscriber: "_Subscriber") -> None:
        if subscriber.ended:
            return
        log.info("a subscriber lagged", extra={"last_seq": subscriber.position})
        params = {
            "subscription": subscriber.name,
            "epoch": subscriber.events.epoch,
            "last_seq": subscriber.position,
        }
        self._outbox.put(self._wrap(encode_notification(LAGGED, params)))
        self._outbox.flush()


class _Subscriber:
    """One subscription while it lives."""

    __slots__ = ("ended", "events", "live", "name", "position", "resources", "scope", "topics", "until")

    def __init__(
        self,
        name: str,
        events: EventLog,
        topics: frozenset[str],
        live: Subscription,
        resources: ExitStack,
        position: int,
        until: int,
    ) -> None:
        self.name = name
        self.events = events
        self.topics = topics
        self.live = live
        self.resources = resources
        self.position = position
        """Seq of the last event that was sent or is not for this subscriber."""
        self.until = until
        """Where the replay ends."""
        self.scope = trio.CancelScope()
        self.ended = False


def check_topics(topics: list[str]) -> list[str]:
    """The topics, if all are known.

    Raises:
        RequestError: `invalid_argument` naming the first unknown one.
    """
    known = {topic.value for topic in Topic}
    for topic in topics:
        if topic not in known:
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                f"`topics`: there is no topic of that name; known: {', '.join(sorted(known))}",
                detail={"field": "topics"},
            )
    if not topics:
        raise RequestError(
            Slug.INVALID_ARGUMENT, "`topics` must name at least one", detail={"field": "topics"}
        )
    return topics
