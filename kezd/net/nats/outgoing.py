"""Publishes whose acknowledgement is awaited: matching answers, time-outs, cancellation.

The book of one connection, in the loop's thread. It writes nothing itself. Invariant: every
entry is settled exactly once, by its answer, its time-out, its caller's cancellation or the
end of the connection, whichever is first; nothing waits for a broker that has gone.
"""

import asyncio
import secrets
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from kezd.net.nats.puback import decode_puback
from kezd.runtime.asyncio_thread import Reply
from kezd.runtime.transport import SendResult, TransportUnavailableError

STATUS = "Status"
NO_RESPONDERS = "503"


@dataclass(slots=True, eq=False)
class Outgoing:
    """One publish on its way."""

    subject: str
    data: bytes
    dedupe_key: str
    first_attempt: bool
    reply: Reply[SendResult]
    token: str = ""
    sent_at: float = field(default=0.0)

    def fail(self, reason: str) -> None:
        """Its fate is unknown."""
        self.reply.set_error(TransportUnavailableError(reason))


class OutgoingBook:
    """Entries by the last token of their reply subject, oldest first."""

    def __init__(self, inbox_prefix: str) -> None:
        self.prefix = f"{inbox_prefix}.{secrets.token_hex(11)}."
        self._waiting: dict[str, Outgoing] = {}
        self._count = 0
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, entry: Outgoing, now: float) -> None:
        """Await an answer for it."""
        self._count += 1
        entry.token = f"{self._count:x}"
        entry.sent_at = now
        self._waiting[entry.token] = entry

    async def wait_empty(self) -> None:
        """Wait until every entry is settled. One waiter, once nothing is entered any more."""
        if self._waiting:
            self._empty.clear()
            await self._empty.wait()

    def cancel(self, entry: Outgoing) -> None:
        """Its caller wants it no more."""
        self._take(entry.token)
        entry.reply.set_cancelled()

    async def on_answer(self, msg: Msg) -> None:
        """The subscription's callback; unknown tokens are strangers' and are dropped."""
        entry = self._take(msg.subject[len(self.prefix) :])
        if entry is None:
            return
        if msg.headers is not None and msg.headers.get(STATUS) == NO_RESPONDERS:
            entry.fail("nobody takes messages at the home")
            return
        try:
            entry.reply.set_result(decode_puback(msg.data, first_attempt=entry.first_attempt))
        except TransportUnavailableError as error:
            entry.reply.set_error(error)

    def expire(self, sent_before: float) -> list[Outgoing]:
        """Fail what was sent before that (the loop's time) and return it."""
        expired = []
        while self._waiting:
            token, entry = next(iter(self._waiting.items()))
            if entry.sent_at >= sent_before:
                break
            self._take(token)
            entry.fail("no acknowledgement in time")
            expired.append(entry)
        return expired

    def fail_subject(self, lowered: str, reason: str) -> None:
        """Fail everything published on that subject, given in lower case."""
        for entry in [e for e in self._waiting.values() if e.subject.lower() == lowered]:
            self._take(entry.token)
            entry.fail(reason)

    def fail_all(self, reason: str) -> None:
        """The connection is gone."""
        for entry in list(self._waiting.values()):
            self._take(entry.token)
            entry.fail(reason)

    def _take(self, token: str) -> Outgoing | None:
        entry = self._waiting.pop(token, None)
        if not self._waiting:
            self._empty.set()
        return entry
