"""NATS as a message transport: the person's home for receiving, any home for sending.

The facade over the link and the guest pool. Implements `kezd.services.ports.MessageTransport`.
Invariants: the identity key is used towards configured endpoints only; `send` ends within one
attempt's time-out; what `receive` gave and `ack` did not get comes again.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import trio

from kezd.kez.keys import PublicKey
from kezd.kez.signing import Signer
from kezd.net.nats.config import Credentials, NatsConfig
from kezd.net.nats.endpoint import Endpoint, parse_endpoints
from kezd.net.nats.errors import HomeRefusedError
from kezd.net.nats.guests import GuestPool
from kezd.net.nats.link import HomeLink
from kezd.runtime.asyncio_thread import LoopThread
from kezd.runtime.clock import Clock
from kezd.runtime.transport import (
    Capabilities,
    Delivery,
    Destination,
    LinkStatus,
    RefusalReason,
    Refused,
    SendResult,
    TransportUnavailableError,
)

RECEIVE_BATCH = 256


class NatsTransport:
    """See the module; `open` is the only way to one."""

    def __init__(self, config: NatsConfig, loop: LoopThread) -> None:
        self._config = config
        self._loop = loop
        self._link: HomeLink
        self._guests: GuestPool
        self._arrived: deque[Delivery] = deque()
        self._arrival = trio.Event()
        self._sending = 0
        self.capabilities = Capabilities(
            max_bytes=config.max_message, durable_ack=True, per_message_ack=True, rate=None
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: NatsConfig,
        signer: Signer,
        installation_id: str,
        clock: Clock,
        *,
        identity: PublicKey | None = None,
    ) -> AsyncIterator[Self]:
        """Keep the transport for the length of the block; online or not.

        Args:
            config: endpoints and limits.
            signer: the identity.
            installation_id: 32 lower-case hex, chosen once per installation.
            clock: for the times in statuses and deliveries.
            identity: genesis primary, when the signer's key is a later one.
        """
        credentials = Credentials(signer, identity or signer.public, installation_id)
        async with LoopThread.open() as loop:
            self = cls(config, loop)
            async with (
                GuestPool.open(loop, config, signer, clock) as self._guests,
                HomeLink.open(loop, config, credentials, clock, self._deliver) as self._link,
            ):
                yield self

    def status(self) -> LinkStatus:
        """How the link to the own home stands."""
        return self._link.status(self._sending)

    async def wait_status_change(self, seen: LinkStatus) -> LinkStatus:
        """The status once its state is another than `seen`'s, or was left since."""
        await self._link.wait_changed(seen)
        return self.status()

    def takeover(self) -> None:
        """Make this installation the current one; the other one is superseded."""
        self._link.takeover()

    def retry(self) -> None:
        """Something changed (registered, network up): try now instead of at the next turn."""
        self._link.retry()

    async def send(self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool) -> SendResult:
        """Publish to the recipient's inbox.

        Args:
            to: from the recipient's chain.
            data: the sealed envelope, at most `capabilities.max_bytes`.
            dedupe_key: the same for every attempt with these bytes.
            first_attempt: False when an earlier attempt may have arrived.

        Raises:
            TransportUnavailableError: send it again later.
        """
        if len(data) > self.capabilities.max_bytes:
            return Refused(RefusalReason.TOO_LARGE)
        try:
            endpoints = parse_endpoints(to.url)
        except ValueError as error:
            raise TransportUnavailableError(f"not a broker address: {error}") from error
        self._sending += 1
        try:
            if any(endpoint in self._config.endpoints for endpoint in endpoints):
                return await self._send_home(to, data, dedupe_key, first_attempt=first_attempt)
            return await self._send_abroad(endpoints, to, data, dedupe_key, first_attempt=first_attempt)
        finally:
            self._sending -= 1

    async def _send_home(
        self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool
    ) -> SendResult:
        live = self._link.live
        if live is None:
            await trio.lowlevel.checkpoint()
            raise TransportUnavailableError("the link is down")
        now = trio.current_time()
        return await live.publish(self._loop, to, data, dedupe_key, first_attempt=first_attempt, now=now)

    async def _send_abroad(
        self,
        endpoints: Sequence[Endpoint],
        to: Destination,
        data: bytes,
        dedupe_key: str,
        *,
        first_attempt: bool,
    ) -> SendResult:
        """Try the addresses in order; the first that can be reached decides."""
        failure = TransportUnavailableError("no broker address")
        with trio.move_on_after(self._config.attempt_timeout):
            for endpoint in endpoints:
                try:
                    async with self._guests.using(endpoint) as live:
                        now = trio.current_time()
                        return await live.publish(
                            self._loop, to, data, dedupe_key, first_attempt=first_attempt, now=now
                        )
                except HomeRefusedError:
                    return Refused(RefusalReason.FOREIGN_HOME)
                except TransportUnavailableError as error:
                    failure = error
            raise failure
        raise TransportUnavailableError("the foreign home does not answer")

    async def receive(self) -> Sequence[Delivery]:
        """Wait for at least one delivery; returns those that wait, at most 256."""
        await trio.lowlevel.checkpoint()
        arrived = self._arrived
        while not arrived:  # no checkpoint between leaving this loop and returning: nothing is dropped
            self._arrival = trio.Event()
            await self._arrival.wait()
        return [arrived.popleft() for _ in range(min(len(arrived), RECEIVE_BATCH))]

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """These are stored: the broker may forget them. Written before the transport closes."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._link.ack([delivery.token for delivery in deliveries])

    def _deliver(self, delivery: Delivery) -> None:
        self._arrived.append(delivery)
        self._arrival.set()
