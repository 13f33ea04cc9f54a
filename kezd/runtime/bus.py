"""Committed events on their way to whoever listens in this process.

The bus carries what is already in the event log (`durable`) and states that only the
latest value of matters (`ephemeral`). Publishing never waits: each subscriber has a
bounded queue, and one that falls behind is marked lagged and closed. Not a store: a
subscriber that lagged reads the log again from its last seq.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import trio

QUEUE_LIMIT = 1024
"""Events a subscriber may be behind before it is lagged."""
QUEUE_BYTES = 8 * 1024 * 1024
"""Bytes of encoded events that it may be behind."""


class Event(msgspec.Struct, frozen=True):
    """One event: `seq` is the log's, or 0 for an ephemeral one, which has a `key` to coalesce by."""

    seq: int
    topic: str
    body: dict[str, Any]
    key: str = ""
    encoded: bytes = b""
    """The body as JSON, when whoever made the event had it; each subscriber is sent these bytes."""


class Subscription:
    """One listener's queue. Iterate it; it ends when the listener lagged or was closed."""

    def __init__(self, topics: frozenset[str], limit: int) -> None:
        self._topics = topics
        self._limit = limit
        self._queue: list[Event] = []
        self._size = 0
        self._places: dict[tuple[str, str], int] = {}
        """Where in the queue the ephemeral events stand, by topic and key."""
        self._wake = trio.Event()
        self._closed = False
        self.lagged = False
        self.last_seq = 0
        """Seq of the last durable event taken out."""

    @property
    def waiting(self) -> int:
        """Length of the queue, never over its limit."""
        return len(self._queue)

    def wants(self, topic: str) -> bool:
        """Whether events of that topic are queued."""
        return topic in self._topics

    def offer(self, event: Event) -> None:
        """Queue it, coalescing ephemeral ones by (topic, key); past the limit: lagged."""
        if self._closed or event.topic not in self._topics:
            return
        if not event.seq:
            place = self._places.setdefault((event.topic, event.key), len(self._queue))
            if place < len(self._queue):
                self._queue[place] = event
                return
        self._size += len(event.encoded)
        if len(self._queue) >= self._limit or self._size > QUEUE_BYTES:
            self.lagged = True
            self._clear()
            self.close()
            return
        self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._wake.set()

    async def receive_batch(self) -> list[Event]:
        """Wait for at least one event and take all that are queued; empty when it has ended."""
        while not self._queue:
            if self._closed:
                await trio.lowlevel.checkpoint()
                return []
            self._wake = trio.Event()
            await self._wake.wait()
        batch = self._clear()
        for event in batch:
            self.last_seq = max(self.last_seq, event.seq)
        return batch

    def _clear(self) -> list[Event]:
        taken, self._queue = self._queue, []
        self._size = 0
        self._places.clear()
        return taken

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events one by one."""
        while batch := await self.receive_batch():
            for event in batch:
                yield event


class Bus:
    """Fan-out to the subscribers of one profile."""

    def __init__(self, queue_limit: int = QUEUE_LIMIT) -> None:
        self._limit = queue_limit
        self._subscriptions: set[Subscription] = set()
        self._watchers: list[Callable[[Sequence[Event]], None]] = []
        self._closed = False

    def close(self) -> None:
        """Nothing more will be published: end every subscription, and those to come at once."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def publish(self, events: Iterable[Event]) -> None:
        """Hand committed (or ephemeral) events to every subscriber. Never blocks."""
        subscriptions = tuple(self._subscriptions)
        batch = tuple(events)
        for event in batch:
            for subscription in subscriptions:
                subscription.offer(event)
        if batch:
            for watcher in self._watchers:
                watcher(batch)

    def is_wanted(self, topic: str) -> bool:
        """Whether anybody listens to that topic now."""
        return any(subscription.wants(topic) for subscription in self._subscriptions)

    @contextmanager
    def watch(self, watcher: Callable[[Sequence[Event]], None]) -> Iterator[None]:
        """Have each batch shown to `watcher` as it is published, which must not raise, wait or publish."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @property
    def waiting(self) -> list[int]:
        """Length of each subscriber's queue, longest first."""
        return sorted((subscription.waiting for subscription in self._subscriptions), reverse=True)

    @contextmanager
    def subscribe(self, topics: Iterable[str]) -> Iterator[Subscription]:
        """A queue of the events of `topics` from now on."""
        subscription = Subscription(frozenset(topics), self._limit)
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()
