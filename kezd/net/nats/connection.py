"""One authenticated connection to one broker, in the loop's thread: publish, pull, acknowledge.

It opens with a session or not at all, and it is never repaired: when it is lost it fails what
it carried and is thrown away; the link opens another. Not here: when to connect, renew or give
up. Invariants: nothing submitted outlives the connection unsettled; writes keep their order;
`close` sends what was acknowledged before it lets go of the socket.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from kezd.net.nats.client import ClientEvents, GuardedClient, close_client, open_client
from kezd.net.nats.config import HEADER_ROOM, Credentials, NatsConfig
from kezd.net.nats.endpoint import Endpoint
from kezd.net.nats.errors import HomeRefusedError, SupersededError
from kezd.net.nats.outgoing import Outgoing, OutgoingBook
from kezd.net.nats.pull import Puller, PullWindow
from kezd.net.nats.session import Session, decode_session, encode_session_request
from kezd.runtime.clock import Clock
from kezd.runtime.transport import Delivery, RefusalReason, Refused, TransportUnavailableError

log = logging.getLogger(__name__)

WRITE_TURN = 64
"""Messages handed to nats-py before the loop may do something else."""
CHECK_INTERVAL = 0.25
FLUSH_GRACE = 1.0
_VIOLATION = re.compile(r'permissions violation for publish to "([^"]+)"')


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """Where to connect as whom; `installation_id` and `takeover` go into the session request."""

    endpoint: Endpoint
    credentials: Credentials
    installation_id: str
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Receiving:
    """Where deliveries go (called in the loop's thread), and the window they count against."""

    window: PullWindow
    deliver: Callable[[Delivery], None]


class Connection:
    """See the module; `open` is the only way to one."""

    def __init__(self, config: NatsConfig, credentials: Credentials, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._events = ClientEvents(self._on_violation)
        self._client: GuardedClient | None = None
        self._book = OutgoingBook(f"_INBOX_{credentials.hex}")
        self._inbox_prefix = f"_INBOX_{credentials.hex}"
        self._plain: deque[tuple[str, bytes, str]] = deque()
        self._queue: deque[Outgoing] = deque()
        self._wake = asyncio.Event()
        self._puller: Puller | None = None
        self._pull_subscription: Subscription | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_at = self._loop.time()
        self.session: Session
        self.last_received_at = clock.now()
        """Unix seconds; read from Trio's thread, too."""

    @classmethod
    async def open(
        cls, target: ConnectionTarget, config: NatsConfig, clock: Clock, receiving: Receiving | None
    ) -> Self:
        """Connect, log in, get the session, and begin to receive if that is wanted.

        Raises:
            HomeRefusedError: the key is not admitted.
            SupersededError: another installation is current.
            TransportUnavailableError: everything that may pass.
        """
        self = cls(config, target.credentials, clock)
        self._client = await open_client(
            target.endpoint, target.credentials, config.tls, config.connect_timeout, self._events
        )
        try:
            self.session = await self._ask_session(target)
            await self._client.subscribe(self._book.prefix + "*", cb=self._on_answer)
            if receiving is not None:
                if not self.session.consumer:
                    raise HomeRefusedError("this key has no inbox there")
                await self._start_pulling(self._client, receiving)
        except nats.errors.Error as error:
            await self._abandon()
            raise TransportUnavailableError(f"lost while opening: {error!r}") from error
        except (HomeRefusedError, SupersededError, TransportUnavailableError, asyncio.CancelledError):
            await self._abandon()
            raise
        self._tasks = [
            self._loop.create_task(self._write()),
            self._loop.create_task(self._watch()),
        ]
        return self

    @property
    def lost(self) -> bool:
        """It carries nothing any more."""
        return self._events.lost.is_set()

    @property
    def in_flight(self) -> int:
        """Publishes whose acknowledgement is awaited."""
        return len(self._book)

    async def wait_lost(self) -> str:
        """Wait for its end and return the reason."""
        await self._events.lost.wait()
        return self._events.reason

    def submit(self, entry: Outgoing) -> None:
        """Publish it; its reply is settled when its fate is known, after `attempt_timeout` at the latest."""
        if self.lost or self._client is None:
            entry.fail("the link is down")
        elif len(entry.data) + HEADER_ROOM > self._client.max_payload:
            entry.reply.set_result(Refused(RefusalReason.TOO_LARGE))
        else:
            self._book.enter(entry, self._loop.time())
            self._queue.append(entry)
            self._wake.set()

    def cancel(self, entry: Outgoing) -> None:
        """Forget about it; it may have been published."""
        self._book.cancel(entry)

    def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        """Publish without an answer (acknowledgements, pull requests)."""
        if not self.lost:
            self._plain.append((subject, data, reply))
            self._wake.set()

    def pump(self) -> None:
        """There may be room for more deliveries."""
        if self._puller is not None:
            self._puller.pump()

    async def stop_pulling(self, *, patient: bool) -> None:
        """Ask for no more, and take what the broker sends for what was asked.

        Args:
            patient: wait for open requests to end; else a message that is on its way right now
                comes again only after the consumer's `ack_wait`.
        """
        if self._puller is None or self._pull_subscription is None or self.lost:
            return
        self._puller.stop()
        try:
            if patient:
                await self._puller.wait_finished()
            async with asyncio.timeout(FLUSH_GRACE):
                await self._pull_subscription.drain()  # type: ignore[no-untyped-call]
        except (TimeoutError, nats.errors.Error) as error:
            log.debug("pull subscription was not drained", extra={"error": repr(error)})

    async def wait_idle(self) -> None:
        """Wait until every publish in flight is settled, at most one attempt's time-out."""
        await self._book.wait_empty()

    async def close(self) -> None:
        """Write what is queued, have the broker confirm that it read it, and let go."""
        if not self.lost:
            try:
                async with asyncio.timeout(FLUSH_GRACE):
                    await self._flush()
            except (TimeoutError, nats.errors.Error) as error:
                log.debug("closing without a flush", extra={"error": repr(error)})
        await self._abandon()

    async def _flush(self) -> None:
        assert self._client is not None, "opened"
        while self._plain or self._queue:
            self._wake.set()
            await asyncio.sleep(0)
        # nats-py's PING overtakes what its flusher still holds; the second one does not
        await self._client.flush()
        await self._client.flush()

    async def _abandon(self) -> None:
        self._events.lose("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail_everything()
        if self._client is not None:
            await close_client(self._client)

    async def _ask_session(self, target: ConnectionTarget) -> Session:
        assert self._client is not None, "opened"
        subject = f"kez.rpc.{target.credentials.hex}.session"
        request = encode_session_request(target.installation_id, takeover=target.takeover)
        timeout = self._config.attempt_timeout
        asking = self._loop.create_task(self._client.request(subject, request, timeout=timeout))
        lost = self._loop.create_task(self._events.lost.wait())  # nats-py would wait for the time-out
        try:
            await asyncio.wait({asking, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise TransportUnavailableError(self._events.reason)
            answer = asking.result()
        finally:
            asking.cancel()
            lost.cancel()
        self._note_heard()
        return decode_session(answer.data)

    async def _start_pulling(self, client: GuardedClient, receiving: Receiving) -> None:
        puller = Puller(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._config.stream}.{self.session.consumer}",
            self._inbox_prefix,
            receiving.window,
            publish=self.publish,
            deliver=receiving.deliver,
            lose=self._events.lose,
            now=self._clock.now,
            credential_life=self.session.jwt_expires_in,
        )

        async def on_message(msg: Msg) -> None:
            self._note_heard()
            await puller.on_message(msg)

        self._pull_subscription = await client.subscribe(puller.prefix + "*", cb=on_message)
        self._puller = puller
        puller.pump()

    async def _on_answer(self, msg: Msg) -> None:
        self._note_heard()
        await self._book.on_answer(msg)

    def _note_heard(self) -> None:
        self._heard_at = self._loop.time()
        self.last_received_at = self._clock.now()

    async def _write(self) -> None:
        assert self._client is not None, "opened"
        written = 0
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._plain or self._queue:
                    await self._write_one(self._client)
                    written += 1
                    if written % WRITE_TURN == 0:
                        await asyncio.sleep(0)
        except nats.errors.Error as error:
            self._events.lose(f"cannot write: {error!r}")

    async def _write_one(self, client: GuardedClient) -> None:
        if self._plain:
            subject, data, reply = self._plain.popleft()
            await client.publish(subject, data, reply=reply)
            return
        entry = self._queue.popleft()
        if not entry.reply.settled:
            headers = {"Nats-Msg-Id": entry.dedupe_key}
            await client.publish(
                entry.subject, entry.data, reply=self._book.prefix + entry.token, headers=headers
            )

    async def _watch(self) -> None:
        """Time-outs and silence; when the connection is lost, fail what it carried."""
        while not self.lost:
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._events.lost.wait()
            except TimeoutError:
                pass
            for entry in self._book.expire(self._loop.time() - self._config.attempt_timeout):
                if self._heard_at < entry.sent_at:
                    self._events.lose("the broker does not answer")
            if self._puller is not None and self._puller.silent:
                self._events.lose("the broker went silent")
        self._fail_everything()

    def _on_violation(self, text: str) -> None:
        """A publish that the server did not permit is only told by its error text (lower-cased)."""
        violation = _VIOLATION.search(text)
        if violation is None or violation[1].startswith("$js.ack."):
            return  # an acknowledgement for an earlier generation: nothing is lost by it
        self._book.fail_subject(violation[1], "not permitted")
        self._events.lose(text)

    def _fail_everything(self) -> None:
        reason = self._events.reason or "the link is down"
        self._book.fail_all(reason)
        self._queue.clear()
        self._plain.clear()
