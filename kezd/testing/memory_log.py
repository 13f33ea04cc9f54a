"""An event log in a list, behind the RPC's port: for tests of the socket alone.

Real in what subscriptions rely on: seqs, an epoch, a bus, named consumers, a snapshot taken
with its place. The snapshot's unread count is the number of events logged so far, so that
a test can tell whether the two belong together.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import trio

from kezd.api import types as t
from kezd.errors import RequestError, Slug
from kezd.runtime.bus import Bus, Event, Subscription


class MemoryConsumers:
    """Names and places in dictionaries."""

    def __init__(self, log: "MemoryLog") -> None:
        self._log = log
        self.acked: dict[str, int] = {}
        self._topics: dict[str, list[str]] = {}
        self._holders: dict[str, Callable[[t.EndReason], None]] = {}

    async def resume(self, name: str, topics: Collection[str], begin: int) -> int:
        """Its place, made at `begin`."""
        await trio.lowlevel.checkpoint()
        self._topics[name] = sorted(topics)
        return self.acked.setdefault(name, begin)

    def hold(self, name: str, lose: Callable[[t.EndReason], None]) -> Callable[[], None]:
        """As the daemon does it."""
        self._end(name, "taken_over")
        self._holders[name] = lose

        def let_go() -> None:
            if self._holders.get(name) is lose:
                del self._holders[name]

        return let_go

    async def ack(self, name: str, seq: int) -> int:
        """As the store does it."""
        await trio.lowlevel.checkpoint()
        if name not in self.acked:
            raise RequestError(Slug.NOT_FOUND)
        if not 0 <= seq <= self._log.last:
            raise RequestError(Slug.INVALID_ARGUMENT)
        self.acked[name] = max(seq, self.acked[name])
        return self.acked[name]

    async def list(self) -> list[t.Consumer]:
        """All of them."""
        await trio.lowlevel.checkpoint()
        return [
            t.Consumer(
                name=name,
                topics=self._topics[name],
                acked=acked,
                lag=self._log.last - acked,
                lost=False,
                connected=name in self._holders,
                created_at=0,
                last_seen=0,
            )
            for name, acked in sorted(self.acked.items())
        ]

    async def forget(self, name: str) -> None:
        """Drop the name."""
        await trio.lowlevel.checkpoint()
        if self.acked.pop(name, None) is None:
            raise RequestError(Slug.NOT_FOUND)
        self._end(name, "forgotten")

    def _end(self, name: str, reason: t.EndReason) -> None:
        holder = self._holders.pop(name, None)
        if holder is not None:
            holder(reason)


class MemoryLog:
    """See the module."""

    epoch = "e1"

    def __init__(self, queue_limit: int = 1024) -> None:
        self.bus = Bus(queue_limit)
        self.kept: list[Event] = []
        self.last = 0
        self.consumers = MemoryConsumers(self)

    def append(self, topic: str, body: dict[str, Any]) -> None:
        """Commit and publish an event."""
        self.last += 1
        event = Event(self.last, topic, body)
        self.kept.append(event)
        self.bus.publish([event])

    @contextmanager
    def subscribe(self, topics: Iterable[str]) -> Iterator[Subscription]:
        """A queue of what comes."""
        with self.bus.subscribe(topics) as subscription:
            yield subscription

    async def bounds(self) -> tuple[int, int]:
        """First and last kept."""
        await trio.lowlevel.checkpoint()
        return (self.kept[0].seq if self.kept else self.last + 1), self.last

    async def snapshot(self) -> tuple[int, int, t.Snapshot]:
        """The bounds and the count."""
        first, last = await self.bounds()
        shown = t.Snapshot(
            identity=t.IdentityResult(state="active"),
            conversations=t.ConversationsResult(items=[]),
            unread=last,
            contacts=t.ContactCounts(accepted=0, requests=0, blocked=0, alarms=0),
            links=[],
        )
        await trio.lowlevel.checkpoint()
        return first, last, shown

    async def after(self, seq: int, topics: Collection[str], limit: int) -> tuple[int, list[Event]]:
        """A page."""
        await trio.lowlevel.checkpoint()
        oldest, _ = await self.bounds()
        return oldest, [e for e in self.kept if e.seq > seq and e.topic in topics][:limit]
