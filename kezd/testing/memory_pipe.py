"""A message transport in memory: keeps the port's promises, and bad weather on demand.

The broker outlives its pipes as a home outlives its peers. It passes the contract suite of
the real transports. Not durable: what is killed here is the peer, not the broker.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import trio

from kezd.runtime.clock import Clock
from kezd.runtime.transport import (
    Accepted,
    Capabilities,
    Delivery,
    Destination,
    LinkState,
    LinkStatus,
    RefusalReason,
    Refused,
    SendResult,
    TransportUnavailableError,
)

BATCH = 256
MAX_BYTES = 192 * 1024
UNBOUNDED = 1 << 60


class Luck(Enum):
    """What happens to one attempt to send."""

    GOOD = "good"
    LOST = "lost"
    ANSWER_LOST = "answer lost"


class Weather(Protocol):
    """What goes wrong between a peer and the broker."""

    def luck(self) -> Luck:
        """Of the next attempt to send."""
        ...

    def arrange(self, waiting: list[Delivery]) -> list[Delivery]:
        """What of the waiting ones arrives now: any of them, in any order, also several times."""
        ...


class FairWeather:
    """Nothing goes wrong."""

    def luck(self) -> Luck:
        """Good."""
        return Luck.GOOD

    def arrange(self, waiting: list[Delivery]) -> list[Delivery]:
        """All, in order."""
        return waiting


@dataclass
class MemoryBroker:
    """Inboxes, dedupe keys and limits, which tests may change while it runs."""

    url: str = "memory://home"
    max_pending: int = UNBOUNDED
    max_bytes: int = UNBOUNDED
    refuse: RefusalReason | None = None
    up: bool = True
    published: int = 0
    inboxes: dict[tuple[str, str], dict[int, bytes]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    arrival: trio.Event = field(default_factory=trio.Event)
    changed: trio.Event = field(default_factory=trio.Event)

    def switch(self, *, up: bool) -> None:
        """Cut every link, or let them connect."""
        self.up = up
        self._tell_change()

    def forget_keys(self) -> None:
        """The dedupe window is over."""
        self.keys.clear()

    def put(self, to: Destination, data: bytes, key: str, *, first_attempt: bool) -> SendResult:
        """Take one message."""
        if self.refuse is not None:
            return Refused(self.refuse)
        if key in self.keys:
            return Refused(RefusalReason.DUPLICATE_ID) if first_attempt else Accepted(duplicate=True)
        inbox = self.inboxes.setdefault((to.inbox, to.device), {})
        if len(inbox) >= self.max_pending:
            return Refused(RefusalReason.INBOX_FULL)
        if self.max_bytes < UNBOUNDED and self._stored() + len(data) > self.max_bytes:
            return Refused(RefusalReason.HOME_FULL)
        self.keys.add(key)
        self.published += 1
        inbox[self.published] = data
        self.tell_arrival()
        return Accepted()

    def _stored(self) -> int:
        return sum(len(data) for inbox in self.inboxes.values() for data in inbox.values())

    def tell_arrival(self) -> None:
        """Wake receivers."""
        event, self.arrival = self.arrival, trio.Event()
        event.set()

    def _tell_change(self) -> None:
        event, self.changed = self.changed, trio.Event()
        event.set()
        self.tell_arrival()


class MemoryPipe:
    """One peer's pipe to the broker."""

    def __init__(self, broker: MemoryBroker, inbox: str, clock: Clock, weather: Weather) -> None:
        self._broker = broker
        self._inbox = (inbox, "0")
        self._clock = clock
        self._weather = weather
        self._since = clock.now()
        self._given_out: set[int] = set()
        self.capabilities = Capabilities(MAX_BYTES, durable_ack=False, per_message_ack=True, rate=None)
        self.acked = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, broker: MemoryBroker, inbox: str, clock: Clock, weather: Weather | None = None
    ) -> AsyncIterator["MemoryPipe"]:
        """Use the pipe for the length of the block."""
        yield cls(broker, inbox, clock, FairWeather() if weather is None else weather)

    def status(self) -> LinkStatus:
        """Online while the broker is up."""
        if self._broker.up:
            return LinkStatus(LinkState.ONLINE, self._since)
        return LinkStatus(LinkState.OFFLINE, self._since, last_error="the broker is down")

    async def wait_status_change(self, seen: LinkStatus) -> LinkStatus:
        """Wait for the broker to go up or down."""
        while self.status().state is seen.state:
            await self._broker.changed.wait()
        return self.status()

    async def send(self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool) -> SendResult:
        """Put it into the recipient's inbox."""
        if to.url != self._broker.url:
            await trio.lowlevel.checkpoint()
            return Refused(RefusalReason.FOREIGN_HOME)
        if len(data) > MAX_BYTES:
            await trio.lowlevel.checkpoint()
            return Refused(RefusalReason.TOO_LARGE)
        luck = self._weather.luck()
        if not self._broker.up or luck is Luck.LOST:
            await trio.lowlevel.checkpoint()
            raise TransportUnavailableError("the broker does not answer")
        result = self._broker.put(to, data, dedupe_key, first_attempt=first_attempt)
        await trio.lowlevel.checkpoint()
        if luck is Luck.ANSWER_LOST:
            raise TransportUnavailableError("the answer was lost")
        return result

    async def receive(self) -> Sequence[Delivery]:
        """Wait for at least one delivery."""
        await trio.lowlevel.checkpoint()
        while True:
            if self._broker.up:
                now = self._clock.now()
                inbox = self._broker.inboxes.get(self._inbox, {})
                waiting = [
                    Delivery(data, now, str(seq)) for seq, data in inbox.items() if seq not in self._given_out
                ]
                arrived = self._weather.arrange(waiting[:BATCH]) if waiting else []
                if arrived:
                    self._given_out.update(int(delivery.token) for delivery in arrived)
                    return arrived
                if waiting:
                    await trio.lowlevel.checkpoint()
                    continue
            await self._broker.arrival.wait()

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Take them out of the inbox."""
        await trio.lowlevel.checkpoint_if_cancelled()
        inbox = self._broker.inboxes.get(self._inbox, {})
        for delivery in deliveries:
            self.acked += 1
            inbox.pop(int(delivery.token), None)
            self._given_out.discard(int(delivery.token))
