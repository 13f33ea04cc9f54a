"""One lasting connection of home to NATS, on one of the fixed nkeys (AUTH, STORE or SYS).

nats-py reconnects by itself, but closes for good on some server errors; then a new client is
built. Requests fail with `HomeUnavailableError` and never wait for a link that is down. Not a
general NATS client: requests, replies and subscriptions of home only.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

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


class NatsLink:
    """A named connection that comes back."""

    def __init__(self, name: str, urls: Sequence[str], key: NatsKey, subscriptions: Sequence[Subscription]) -> None:
        self.name = name
        self._urls = list(urls)
        self._key = key
        self._subscriptions = subscriptions
        self._client: Client | None = None
        self._closed = asyncio.Event()
        self.reconnects = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, name: str, urls: Sequence[str], key: NatsKey, subscriptions: Sequence[Subscription] = ()
    ) -> AsyncIterator["NatsLink"]:
        """Connect (waiting until NATS is there) and stay connected until the block ends."""
        self = cls(name, urls, key, subscriptions)
        await self._connect_until_done()
        keeper = asyncio.create_task(self._keep(), name=f"nats-link-{name}")
        try:
            yield self
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
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

    async def request_json(self, nats_subject: str, body: Any, timeout: float = REQUEST_TIMEOUT) -> dict[str, Any]:
        """A request whose body and answer are JSON objects.

        Raises:
            HomeUnavailableError: as `request`, or the answer is not a JSON object.
        """
        answer = await self.request(nats_subject, msgspec.json.encode(body) if body is not None else b"", timeout)
        try:
            return msgspec.json.decode(answer, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise HomeUnavailableError(f"no JSON answer on the NATS link {self.name}") from error

    async def gather(
        self, nats_subject: str, body: Any, *, first: float = 2.0, quiet: float = 0.05, payloads: int | None = None
    ) -> list[bytes]:
        """One request, many answers: until none came for `quiet` seconds (`first` for the first one).

        Raises:
            HomeUnavailableError: no connection, or no answer at all.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise HomeUnavailableError(f"the NATS link {self.name} is down")
        answers: list[bytes] = []
        try:
            inbox = client.new_inbox()
            subscription = await client.subscribe(inbox, pending_bytes_limit=PENDING_REPLIES_LIMIT)
            try:
                await client.publish(nats_subject, msgspec.json.encode(body), reply=inbox)
                while payloads is None or len(answers) < payloads:
                    message = await subscription.next_msg(timeout=quiet if answers else first)
                    if message.headers:
                        break
                    answers.append(message.data)
            except (nats.errors.TimeoutError, TimeoutError):
                pass
            finally:
                await subscription.unsubscribe()
        except (nats.errors.Error, OSError) as error:
            raise HomeUnavailableError(f"no answer on the NATS link {self.name}") from error
        if not answers:
            raise HomeUnavailableError(f"nobody answered on the NATS link {self.name}")
        return answers

    async def publish(self, nats_subject: str, payload: bytes) -> None:
        """Send without an answer; lost when the link is down (the asker asks again)."""
        client = self._client
        if client is None or not client.is_connected:
            log.warning("nats answer dropped, the link is down", extra={"link": self.name})
            return
        await client.publish(nats_subject, payload)

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
                log.info("nats link is online", extra={"link": self.name})
                return

    async def _connect(self) -> None:
        client, closed = Client(), asyncio.Event()

        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            log.info("nats link error", extra={"link": self.name, "reason": str(error) or type(error).__name__})

        async def on_reconnected() -> None:
            self.reconnects += 1
            log.info("nats link is online again", extra={"link": self.name})

        await client.connect(
            self._urls, name=f"kezd-home {self.name}", nkeys_seed_str=self._key.seed_text(),
            connect_timeout=CONNECT_TIMEOUT, allow_reconnect=True, max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]
            closed_cb=on_closed, error_cb=on_error, reconnected_cb=on_reconnected,
        )  # fmt: skip
        for subscription in self._subscriptions:
            await client.subscribe(subscription.nats_subject, subscription.queue, cb=subscription.handler)
        # nats-py's flush is no barrier: its PING may overtake the SUBs that wait in the buffer.
        await client.flush()
        await client.flush()
        self._client, self._closed = client, closed
