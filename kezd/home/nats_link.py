"""One lasting connection of home to NATS, on one of the fixed nkeys (AUTH, STORE or SYS).

nats-py reconnects by itself, but closes for good on some server errors; then a new client is
built. Requests fail with `HomeUnavailableError` and never wait for a link that is down. Not a
general NATS client: requests, replies and subscriptions of home only.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from kezd.home.beside import running_beside
from kezd.home.errors import HomeUnavailableError
from kezd.home.nats_keys import NatsKey

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5
RECONNECT_WAIT = 0.05
"""Seconds; shorter than any client's, so that the callout is back before the first of them."""

REQUEST_TIMEOUT = 5.0
PENDING_REPLIES_LIMIT = 64 * 1024 * 1024

Handler = Callable[[Msg], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link listens to; it is subscribed again with each new client."""

    nats_subject: str
    queue: str
    handler: Handler


class NkeyClient(Client):
    """nats-py has no public way to name an nkey beside a signature callback."""

    def __init__(self, public: str) -> None:
        super().__init__()
        self._public_nkey = public


class NatsLink:
    """A named connection that comes back."""

    def __init__(
        self, name: str, urls: Sequence[str], key: NatsKey, subscriptions: Sequence[Subscription]
    ) -> None:
        self.name = name
        self._urls = list(urls)
        self._key = key
        self._subscriptions = list(subscriptions)
        self._client: Client | None = None
        self._closed = asyncio.Event()
        self._last_reason = ""
        self.reconnects = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        name: str,
        urls: Sequence[str],
        key: NatsKey,
        subscriptions: Sequence[Subscription] = (),
        *,
        patient: bool = True,
    ) -> AsyncIterator["NatsLink"]:
        """Connect (waiting until NATS is there) and stay connected until the block ends.

        Raises:
            HomeUnavailableError: it is not there, and the caller is not patient.
        """
        self = cls(name, urls, key, subscriptions)
        if patient:
            await self._connect_until_done()
        else:
            await self._connect_once()
        try:
            async with running_beside(self._keep(), f"nats-link-{name}"):
                yield self
        finally:
            if self._client is not None:
                await self._client.close()

    @property
    def online(self) -> bool:
        """Whether a request would be sent now."""
        return self._client is not None and self._client.is_connected

    async def request(
        self, nats_subject: str, payload: bytes = b"", timeout: float = REQUEST_TIMEOUT
    ) -> bytes:
        """One request, one answer.

        Raises:
            HomeUnavailableError: no connection, nobody listens, or no answer in time.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise HomeUnavailableError(f"the NATS link {self.name} is down")
        try:
            return (await client.request(nats_subject, payload, timeout=timeout)).data
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise HomeUnavailableError(f"no answer on the NATS link {self.name}") from error

    async def request_json(
        self, nats_subject: str, body: Any, timeout: float = REQUEST_TIMEOUT
    ) -> dict[str, Any]:
        """A request whose body and answer are JSON objects.

        Raises:
            HomeUnavailableError: as `request`, or the answer is not a JSON object.
        """
        answer = await self.request(
            nats_subject, msgspec.json.encode(body) if body is not None else b"", timeout
        )
        try:
            return msgspec.json.decode(answer, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise HomeUnavailableError(f"no JSON answer on the NATS link {self.name}") from error

    async def gather(
        self,
        nats_subject: str,
        body: Any,
        *,
        is_last: Callable[[Msg], bool] = lambda _: False,
        first: float = 2.0,
        quiet: float = 0.05,
    ) -> list[Msg]:
        """One request, many answers: until one is the last, or none came for `quiet` seconds.

        Args:
            nats_subject: where the question goes.
            body: JSON value of the question.
            is_last: tells the final answer, which is left out of the result.
            first: seconds to wait for the first answer.
            quiet: seconds without an answer after which there are no more.

        Raises:
            HomeUnavailableError: no connection, or no answer at all.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise HomeUnavailableError(f"the NATS link {self.name} is down")
        answers: list[Msg] = []
        inbox, wait = client.new_inbox(), first
        try:
            subscription = await client.subscribe(inbox, pending_bytes_limit=PENDING_REPLIES_LIMIT)
            try:
                await client.publish(nats_subject, msgspec.json.encode(body), reply=inbox)
                while not is_last(message := await subscription.next_msg(timeout=wait)):
                    answers.append(message)
                    wait = quiet
            except (nats.errors.TimeoutError, TimeoutError):
                if not answers:
                    raise
            finally:
                await subscription.unsubscribe()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise HomeUnavailableError(f"no answer on the NATS link {self.name}") from error
        return answers

    async def subscribe(self, subscription: Subscription) -> None:
        """Listen from now on, also after the link was down."""
        self._subscriptions.append(subscription)
        if self._client is not None:
            await _subscribe(self._client, [subscription])

    async def _keep(self) -> None:
        while True:
            await self._closed.wait()
            log.warning("nats link closed, building a new one", extra={"link": self.name})
            self.reconnects += 1
            await self._connect_until_done()

    async def _connect_until_done(self) -> None:
        told = False
        while True:
            try:
                await self._connect()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                if not told:
                    log.warning("nats link is down", extra={"link": self.name, "reason": str(error)})
                    told = True
                await asyncio.sleep(RECONNECT_WAIT)
            else:
                self._last_reason = ""
                log.info("nats link is online", extra={"link": self.name})
                return

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._connect(come_back=False)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise HomeUnavailableError(str(error) or "no answer in time") from error

    async def _connect(self, *, come_back: bool = True) -> None:
        client, closed = NkeyClient(self._key.public), asyncio.Event()

        def sign(nonce: str) -> bytes:
            return base64.b64encode(self._key.sign(nonce.encode()))

        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            reason = str(error) or type(error).__name__
            if reason != self._last_reason:  # nats-py tries every 50 ms, each time for the same reason
                self._last_reason = reason
                log.warning("nats link error, trying again", extra={"link": self.name, "reason": reason})

        async def on_reconnected() -> None:
            self.reconnects += 1
            self._last_reason = ""
            log.info("nats link is online again", extra={"link": self.name})

        await client.connect(
            self._urls, name=f"kezd-home {self.name}", signature_cb=sign,
            connect_timeout=CONNECT_TIMEOUT, allow_reconnect=come_back, max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]
            closed_cb=on_closed, error_cb=on_error, reconnected_cb=on_reconnected,
        )  # fmt: skip
        await _subscribe(client, self._subscriptions)
        self._client, self._closed = client, closed


async def _subscribe(client: Client, subscriptions: Sequence[Subscription]) -> None:
    """Subscribe, and return when the server has it."""
    for subscription in subscriptions:
        await client.subscribe(subscription.nats_subject, subscription.queue, cb=subscription.handler)
    # nats-py's flush is no barrier: its PING may overtake the SUBs that wait in the buffer.
    await client.flush()
    await client.flush()
