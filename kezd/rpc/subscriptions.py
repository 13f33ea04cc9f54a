"""Subscriptions of one connection: replay from the log, then live, without gap or double.

The live queue is opened before the log is looked at, so that an event is either in the
log already or still to come in the queue; seqs say which were both. A subscriber that
falls behind loses its subscription (`events.lagged`), not events: it comes back with the
seq it was told. Nothing here is ever waited for by a writer of events. Where a
subscription begins is decided in `start`; what one is, in `subscriber`.
"""

import logging
from collections.abc import Callable
from contextlib import ExitStack

import trio

from kezd.api import types as t
from kezd.api.events import ENDED, LAGGED
from kezd.errors import RequestError, Slug
from kezd.rpc.outbox import Outbox
from kezd.rpc.ports import EventLog
from kezd.rpc.replies import encode_notice
from kezd.rpc.start import check_consumer, check_topics, find_start
from kezd.rpc.subscriber import Subscriber
from kezd.runtime.bus import Event

log = logging.getLogger(__name__)

REPLAY_PAGE = 256
"""Events read from the log at once."""
SUBSCRIPTIONS = 32
"""Of one connection."""


class Subscriptions:
    """All subscriptions of a connection."""

    def __init__(self, nursery: trio.Nursery, outbox: Outbox, wrap: Callable[[bytes], bytes]) -> None:
        self._nursery = nursery
        self._outbox = outbox
        self._wrap = wrap
        self._open: dict[str, Subscriber] = {}
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

    async def open(self, events: EventLog, params: t.SubscribeParams) -> t.SubscribeResult:
        """Begin a subscription; its events follow the answer.

        Raises:
            RequestError: `cannot_replay`, `busy`, `invalid_argument`.
        """
        topics = frozenset(check_topics(params.topics))
        name = check_consumer(params.consumer)
        if len(self._open) >= SUBSCRIPTIONS:
            raise RequestError(Slug.BUSY, f"{SUBSCRIPTIONS} subscriptions are open on this connection")
        with ExitStack() as stack:
            live = stack.enter_context(events.subscribe(topics))
            start = await find_start(events, params)
            self._count += 1
            subscriber = Subscriber(
                f"s{self._count}", events, topics, live, start.begin, start.last, follow=params.follow
            )
            if name is not None:
                stack.callback(events.consumers.hold(name, subscriber.lose))
            resources = stack.pop_all()
        self._open[subscriber.name] = subscriber
        # The task first runs after the caller has queued its answer, as nothing awaits in between.
        self._nursery.start_soon(self._run, subscriber, resources)
        return t.SubscribeResult(
            subscription=subscriber.name,
            epoch=events.epoch,
            seq=start.last,
            replayed_from=start.begin + 1 if start.replays else None,
            first_seq=start.first if start.last else None,
            acked=start.acked,
            snapshot=start.snapshot,
        )

    def close(self, name: str) -> None:
        """End a subscription; nothing of it is sent any more.

        Raises:
            RequestError: `not_found`.
        """
        subscriber = self._open.pop(name, None)
        if subscriber is None:
            raise RequestError(Slug.NOT_FOUND, "no such subscription on this connection")
        subscriber.end()

    async def _run(self, subscriber: Subscriber, resources: ExitStack) -> None:
        with resources:
            with subscriber.scope:
                await self._released.wait()
                if not await self._replay(subscriber) or not await self._live(subscriber):
                    self._send_lagged(subscriber)
            if subscriber.reason is not None:
                await self._released.wait()
                self._send_ended(subscriber, subscriber.reason)
        self._open.pop(subscriber.name, None)

    async def _replay(self, subscriber: Subscriber) -> bool:
        """Send what the log has up to `subscriber.until`; False when a part is gone from it."""
        while subscriber.position < subscriber.until:
            await self._outbox.wait_room()
            oldest, page = await subscriber.events.after(subscriber.position, subscriber.topics, REPLAY_PAGE)
            if oldest > subscriber.position + 1:
                return False
            await self._send(subscriber, page)
            if len(page) < REPLAY_PAGE:
                subscriber.position = max(subscriber.position, subscriber.until)
        return True

    async def _live(self, subscriber: Subscriber) -> bool:
        """Send what is committed from now on; returns (False) when the subscriber lagged."""
        if not subscriber.follow:
            subscriber.reason = "complete"
            return True
        while batch := await subscriber.live.receive_batch():
            await self._send(subscriber, batch)
            await self._outbox.wait_room()
        if not subscriber.live.lagged:
            subscriber.reason = "closed"  # the log itself has ended
        return not subscriber.live.lagged

    async def _send(self, subscriber: Subscriber, events: list[Event]) -> None:
        """Hand over what was not sent before, waiting whenever too much waits to be written."""
        for event in events:
            if event.seq and event.seq <= subscriber.position:
                continue
            if self._outbox.full:
                await self._outbox.wait_room()
            if subscriber.ended:
                return
            self._outbox.put(self._wrap(subscriber.encode(event)))
            subscriber.position = max(subscriber.position, event.seq)
        self._outbox.flush()

    def _send_lagged(self, subscriber: Subscriber) -> None:
        if subscriber.ended:
            return
        log.info("a subscriber lagged", extra={"last_seq": subscriber.position})
        self._notify(
            LAGGED,
            t.LaggedNotice(
                subscription=subscriber.name, epoch=subscriber.events.epoch, last_seq=subscriber.position
            ),
        )

    def _send_ended(self, subscriber: Subscriber, reason: t.EndReason) -> None:
        self._notify(
            ENDED,
            t.EndedNotice(
                subscription=subscriber.name,
                epoch=subscriber.events.epoch,
                last_seq=subscriber.position,
                reason=reason,
            ),
        )

    def _notify(self, method: str, notice: t.Result) -> None:
        self._outbox.put(self._wrap(encode_notice(method, notice)))
        self._outbox.flush()
