"""Committed events on their way to whoever listens in this process.

The bus carries what is already in the event log (`durable`) and states that only the
latest value of matters (`ephemeral`). Publishing never waits: each subscriber has a
bounded queue, and one that falls behind is marked lagged and closed. Not a store: a
subscriber that lagged reads the log again from its last seq.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

QUEUE_LIMIT = 1024
"""Events a subscriber may be behind before it is lagged."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `seq` is the log's, or 0 for an ephemeral one, which has a `key` to coalesce by."""

    seq: int
    topic: str
    body: dict[str, Any]
    key: str = ""


class Subscription:
    """One listener's queue. Iterate it; it ends when the listener lagged or was closed."""

    def __init__(self, topics: frozenset[str], limit: int) -> None:
        self._topics = topics
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._wake = trio.Event()
        self._closed = False
        self.lagged = False
        self.last_seq = 0
        """Seq of the last durable event taken out."""

    def offer(self, event: Event) -> None:
        """Queue it, coalescing ephemeral ones by (topic, key); past the limit: lagged."""
        if self._closed or event.topic not in self._topics:
            return
        if not event.seq:
            for i, waiting in enumerate(self._queue):
                if not waiting.seq and (waiting.topic, waiting.key) == (event.topic, event.key):
                    self._queue[i] = event
                    return
        if len(self._queue) >= self._limit:
            self.lagged = True
            self._queue.clear()
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
        batch = list(self._queue)
        self._queue.clear()
        for event in batch:
            self.last_seq = max(self.last_seq, event.seq)
        return batch

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

    def publish(self, events: Iterable[Event]) -> None:
        """Hand committed (or ephemeral) events to every subscriber. Never blocks."""
        for event in events:
            for subscription in tuple(self._subscriptions):
                subscription.offer(event)

    @contextmanager
    def subscribe(self, topics: Iterable[str]) -> Iterator[Subscription]:
        """A queue of the events of `topics` from now on."""
        subscription = Subscription(frozenset(topics), self._limit)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()
