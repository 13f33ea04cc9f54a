"""Connections to other people's homes, for publishing only, under a key of their own.

The identity key is never used here: each foreign host sees a guest key derived for it. A
pool: one connection a host, opened when something is sent, closed when idle, few at once.
Invariant: a stranger's broker can make a send fail, never block another, and is not asked
again before its refusal or failure has aged.
"""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import trio

from kezd.kez.signing import Signer
from kezd.net.nats.config import Credentials, NatsConfig
from kezd.net.nats.connection import Connection, ConnectionTarget
from kezd.net.nats.endpoint import Endpoint
from kezd.net.nats.errors import HomeRefusedError, SupersededError
from kezd.net.nats.live import LiveConnection
from kezd.runtime.asyncio_thread import LoopThread
from kezd.runtime.backoff import Backoff
from kezd.runtime.clock import Clock
from kezd.runtime.transport import TransportUnavailableError

log = logging.getLogger(__name__)


class _Guest:
    """One host's connection, being opened, open, or failed."""

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.settled = trio.Event()
        self.live: LiveConnection | None = None
        self.refusal: str | None = None
        self.failure: str | None = None
        self.ask_again_at = 0.0
        self.running = False
        self.used_at = 0.0
        self.users = 0
        self.stop = trio.CancelScope()

    @property
    def open(self) -> bool:
        return self.live is not None and not self.live.connection.lost


class GuestPool:
    """See the module; `open` is the only way to one."""

    def __init__(self, loop: LoopThread, config: NatsConfig, signer: Signer, clock: Clock) -> None:
        self._loop = loop
        self._config = config
        self._signer = signer
        self._clock = clock
        self._guests: dict[Endpoint, _Guest] = {}
        self._nursery: trio.Nursery

    @classmethod
    @asynccontextmanager
    async def open(
        cls, loop: LoopThread, config: NatsConfig, signer: Signer, clock: Clock
    ) -> AsyncIterator[Self]:
        """A pool for the length of the block."""
        self = cls(loop, config, signer, clock)
        async with trio.open_nursery() as self._nursery:
            try:
                yield self
            finally:
                self._nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def using(self, endpoint: Endpoint) -> AsyncIterator[LiveConnection]:
        """The connection to that host; it is not closed as idle inside the block.

        Raises:
            HomeRefusedError: that home admits no guests.
            TransportUnavailableError: it cannot be reached, or too many others are in use.
        """
        guest = self._guest(endpoint)
        guest.users += 1
        try:
            await guest.settled.wait()
            if guest.refusal is not None:
                raise HomeRefusedError(guest.refusal)
            if guest.live is None or not guest.open:
                raise TransportUnavailableError(guest.failure or "the connection was lost")
            yield guest.live
        finally:
            guest.users -= 1
            guest.used_at = trio.current_time()

    def _guest(self, endpoint: Endpoint) -> _Guest:
        guest = self._guests.get(endpoint)
        if guest is None:
            self._make_room()
            guest = self._guests[endpoint] = _Guest(Backoff(self._config.backoff))
        if not guest.running and trio.current_time() >= guest.ask_again_at:
            guest.running = True
            guest.stop = trio.CancelScope()
            guest.settled = trio.Event()
            guest.refusal = guest.failure = None
            self._nursery.start_soon(self._run, endpoint, guest)
        return guest

    def _make_room(self) -> None:
        """Forget the host unused for longest.

        Raises:
            TransportUnavailableError: all are in use.
        """
        if len(self._guests) < self._config.guest_limit:
            return
        unused = [(guest.used_at, endpoint) for endpoint, guest in self._guests.items() if not guest.users]
        if not unused:
            raise TransportUnavailableError("too many foreign homes at once")
        endpoint = min(unused, key=lambda pair: pair[0])[1]
        self._guests.pop(endpoint).stop.cancel()

    async def _run(self, endpoint: Endpoint, guest: _Guest) -> None:
        """Task root of one guest connection: whatever happens there stays there."""
        try:
            with guest.stop:
                guest.live = await self._connect(endpoint)
                guest.backoff.reset()
                guest.settled.set()
                await self._hold(endpoint, guest, guest.live)
        except HomeRefusedError as error:
            guest.refusal = str(error)
            guest.ask_again_at = trio.current_time() + self._config.guest_refusal
            log.info("a foreign home admits no guests")
        except (TransportUnavailableError, SupersededError) as error:
            guest.failure = str(error)
            guest.ask_again_at = trio.current_time() + guest.backoff.next_delay()
        finally:
            live, guest.live, guest.running = guest.live, None, False
            guest.settled.set()
            if live is not None:
                with trio.CancelScope(shield=True):  # bounded by the connection itself
                    await self._loop.call(live.connection.close)

    async def _connect(self, endpoint: Endpoint) -> LiveConnection:
        name = secrets.token_hex(16)  # an installation id of ours is nothing for a stranger
        signer = self._signer.nats_guest(endpoint.host)
        credentials = Credentials(signer, signer.public, name)
        target = ConnectionTarget(endpoint, credentials, name)
        connection = await self._loop.call(Connection.open, target, self._config, self._clock, None)
        return LiveConnection(connection, trio.current_time())

    async def _hold(self, endpoint: Endpoint, guest: _Guest, live: LiveConnection) -> None:
        """Stay until lost, idle, or near the credential's end (the next send opens another)."""
        guest.used_at = trio.current_time()
        ends_at = live.renewal_time(self._config.renew_at)
        while True:
            busy_until = trio.current_time() if guest.users else guest.used_at
            idle_at = busy_until + self._config.guest_idle
            with trio.move_on_at(min(idle_at, ends_at)):
                await self._loop.call(live.connection.wait_lost)
                return
            now = trio.current_time()
            if now >= ends_at:
                if self._guests.get(endpoint) is guest:
                    del self._guests[endpoint]
                await self._loop.call(live.connection.wait_idle)
                return
            if not guest.users and now >= guest.used_at + self._config.guest_idle:
                return
