"""The link to the person's own home: connects, holds, renews, and tells how it stands.

On Trio's side. It decides when to connect, connections do the rest. Invariants: after a
refusal the home is asked seldom, after being superseded not at all until `takeover`; the
credential is renewed by a second connection before the first one's ends, so traffic never
pauses; what is sent fails at once while there is no connection.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Self

import trio

from kezd.net.nats.config import Credentials, NatsConfig
from kezd.net.nats.connection import Connection, ConnectionTarget, Receiving
from kezd.net.nats.errors import HomeRefusedError, SupersededError
from kezd.net.nats.live import LiveConnection
from kezd.net.nats.pull import PullWindow
from kezd.runtime.asyncio_thread import LoopThread
from kezd.runtime.backoff import Backoff
from kezd.runtime.clock import Clock
from kezd.runtime.transport import (
    Delivery,
    LinkState,
    LinkStatus,
    TransportUnavailableError,
)

log = logging.getLogger(__name__)

GOOD_RUN = 10.0
"""Seconds online after which the next failure is treated as the first."""
NAK = b"-NAK"
ACK = b"+ACK"


class HomeLink:
    """See the module; `open` is the only way to one."""

    def __init__(
        self,
        loop: LoopThread,
        config: NatsConfig,
        credentials: Credentials,
        clock: Clock,
        deliver: Callable[[Delivery], None],
    ) -> None:
        self._loop = loop
        self._config = config
        self._credentials = credentials
        self._clock = clock
        self._deliver = deliver
        self._window = PullWindow()
        self._live: LiveConnection | None = None
        self._retiring: set[LiveConnection] = set()
        self._next_endpoint = 0
        self._takeover = False
        self._state = LinkState.CONNECTING
        self._since = clock.now()
        self._last_error: str | None = None
        self._last_received_at: float | None = None
        self._changed = trio.Event()
        self._nudge = trio.Event()
        self._unreachable = Backoff(config.backoff)
        self._refused = Backoff(config.refused)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        loop: LoopThread,
        config: NatsConfig,
        credentials: Credentials,
        clock: Clock,
        deliver: Callable[[Delivery], None],
    ) -> AsyncIterator[Self]:
        """Keep a link for the length of the block. It does not wait until it is online."""
        self = cls(loop, config, credentials, clock, deliver)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._supervise, nursery)
                try:
                    yield self
                finally:
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):  # bounded: every part of closing has its own limit
                await self._shut_down()

    @property
    def live(self) -> LiveConnection | None:
        """The connection that carries traffic now."""
        live = self._live
        return None if live is None or live.connection.lost else live

    def status(self, queue_length: int) -> LinkStatus:
        """How it stands."""
        if self._live is not None:
            self._last_received_at = self._live.connection.last_received_at
        return LinkStatus(self._state, self._since, self._last_received_at, self._last_error, queue_length)

    async def wait_changed(self, seen: LinkStatus) -> None:
        """Wait until the state is another than `seen`'s, or was left since."""
        while (seen.state, seen.since) == (self._state, self._since):
            await self._changed.wait()

    def takeover(self) -> None:
        """Become the current installation at the next connection; the other is superseded.

        While online this installation is the current one, and nothing is to be done (a wish
        kept until some later reconnect would fight back then).
        """
        if self._state is not LinkState.ONLINE:
            self._takeover = True
            self.retry()

    def retry(self) -> None:
        """Something changed (registered, network up): do not wait for the next attempt."""
        self._nudge.set()

    def ack(self, tokens: list[str]) -> None:
        """Acknowledge deliveries; what cannot be told to the broker is delivered again."""
        self._loop.to_loop(self._ack_on_loop, tokens, self._live)

    def _ack_on_loop(self, tokens: list[str], live: LiveConnection | None) -> None:
        for token in tokens:
            self._window.release(token)
            if live is not None:
                live.connection.publish(token, ACK)
        if live is not None:
            live.connection.pump()

    async def _supervise(self, nursery: trio.Nursery) -> None:
        while True:
            self._set_state(LinkState.CONNECTING)
            try:
                live = await self._connect()
            except SupersededError as error:
                self._set_state(LinkState.SUPERSEDED, str(error))
                log.warning("another installation took over", extra={"link": "nats"})
                await self._wait_takeover()
            except HomeRefusedError as error:
                self._set_state(LinkState.REFUSED, str(error))
                log.warning("the home refused the key", extra={"link": "nats"})
                await self._pause(self._refused.next_delay())
            except TransportUnavailableError as error:
                self._set_state(LinkState.OFFLINE, str(error))
                await self._pause(self._unreachable.next_delay())
            else:
                await self._hold(live, nursery)

    async def _connect(self) -> LiveConnection:
        endpoints = self._config.endpoints
        if not endpoints:
            raise TransportUnavailableError("no broker address is configured")
        endpoint = endpoints[self._next_endpoint % len(endpoints)]
        self._next_endpoint += 1
        target = ConnectionTarget(endpoint, self._credentials, self._credentials.name, self._takeover)
        receiving = Receiving(self._window, self._post_delivery)
        connection = await self._loop.call(Connection.open, target, self._config, self._clock, receiving)
        self._next_endpoint -= 1  # this one works: the next connection goes there first
        self._takeover = False
        return LiveConnection(connection, trio.current_time())

    def _post_delivery(self, delivery: Delivery) -> None:
        self._loop.to_trio(self._deliver, delivery)

    async def _hold(self, live: LiveConnection, nursery: trio.Nursery) -> None:
        """Be online until the connection is lost, renewing it in time."""
        online_since = trio.current_time()
        self._refused.reset()
        self._adopt(live, nursery)
        self._set_state(LinkState.ONLINE)
        log.info("link is online", extra={"link": "nats", "generation": live.session.generation})
        reason = await self._wait_lost_renewing(nursery)
        if trio.current_time() - online_since >= GOOD_RUN:
            self._unreachable.reset()
        self._set_state(LinkState.OFFLINE, reason)
        lost, self._live = self._live, None
        if lost is not None:
            self._last_received_at = lost.connection.last_received_at
            self._let_go(lost, nursery)
        log.info("link is offline", extra={"link": "nats", "reason": reason})
        await self._pause(self._unreachable.next_delay())

    async def _wait_lost_renewing(self, nursery: trio.Nursery) -> str:
        while True:
            live = self._live
            assert live is not None, "adopted"
            with trio.move_on_at(self._renewal_time(live)):
                return await self._loop.call(live.connection.wait_lost)
            try:
                self._adopt(await self._connect(), nursery)
            except (SupersededError, HomeRefusedError, TransportUnavailableError) as error:
                # the old credential still holds; when it ends, the attempts of _supervise tell the state
                log.info("credential not renewed", extra={"link": "nats", "error": str(error)})
                live.renew_not_before(trio.current_time() + self._unreachable.next_delay())
            else:
                self._unreachable.reset()

    def _renewal_time(self, live: LiveConnection) -> float:
        when = live.renewal_time(self._config.renew_at)
        if not live.session.sending.allowed:
            when = min(when, live.opened_at + self._config.quota_retry)
        return max(when, live.not_before)

    def _adopt(self, live: LiveConnection, nursery: trio.Nursery) -> None:
        former, self._live = self._live, live
        if former is not None:
            self._let_go(former, nursery)

    def _let_go(self, former: LiveConnection, nursery: trio.Nursery) -> None:
        self._retiring.add(former)
        nursery.start_soon(self._retire, former)

    async def _retire(self, former: LiveConnection) -> None:
        """Let the former connection finish what it carries, then close it."""
        if not former.connection.lost:
            await self._loop.call(partial(former.connection.stop_pulling, patient=True))
            await self._loop.call(former.connection.wait_idle)
        await self._loop.call(former.connection.close)
        self._retiring.discard(former)

    async def _shut_down(self) -> None:
        """Give back what was not acknowledged, so that it comes at once next time; close."""
        live, self._live = self._live, None
        if live is not None:
            await self._loop.call(partial(live.connection.stop_pulling, patient=False))
            await self._loop.call(self._give_back, live)
            await self._loop.call(live.connection.close)
        for former in tuple(self._retiring):
            await self._loop.call(former.connection.close)

    async def _give_back(self, live: LiveConnection) -> None:
        for token in self._window.take_all():
            live.connection.publish(token, NAK)

    async def _wait_takeover(self) -> None:
        while not self._takeover:
            await self._nudge.wait()
            self._nudge = trio.Event()

    async def _pause(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._nudge.wait()
            self._nudge = trio.Event()  # a nudge during an attempt counts for the pause after it

    def _set_state(self, state: LinkState, error: str | None = None) -> None:
        if error is not None:
            self._last_error = error
        if state is LinkState.ONLINE:
            self._last_error = None
        if state is not self._state:
            self._state = state
            self._since = self._clock.now()
            changed, self._changed = self._changed, trio.Event()
            changed.set()
