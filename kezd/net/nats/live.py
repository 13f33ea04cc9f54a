"""A connection as Trio's side holds it: with its session, its age, and a way to publish on it.

Thin: everything of the wire is in `connection`. Home's clock is the session's `now` carried
on by the monotonic clock.
"""

from kezd.net.nats.connection import Connection
from kezd.net.nats.outgoing import Outgoing
from kezd.net.nats.session import Session
from kezd.runtime.asyncio_thread import LoopThread, Reply
from kezd.runtime.transport import (
    Destination,
    RefusalReason,
    Refused,
    SendResult,
    TransportUnavailableError,
)


class LiveConnection:
    """An open connection and when it was opened (Trio's clock)."""

    def __init__(self, connection: Connection, opened_at: float) -> None:
        self.connection = connection
        self.opened_at = opened_at
        self.not_before = 0.0
        """No renewal before this."""

    @property
    def session(self) -> Session:
        """What the home said when it opened."""
        return self.connection.session

    def renewal_time(self, part: float) -> float:
        """When this part of the credential's life is over."""
        return self.opened_at + max(0.0, self.session.jwt_expires_in) * part

    def renew_not_before(self, when: float) -> None:
        """A renewal failed: the next one waits until then."""
        self.not_before = when

    async def publish(
        self,
        loop: LoopThread,
        to: Destination,
        data: bytes,
        dedupe_key: str,
        *,
        first_attempt: bool,
        now: float,
    ) -> SendResult:
        """Publish to the recipient's inbox under the tag of this moment.

        Raises:
            TransportUnavailableError: its fate is unknown.
        """
        if not self.session.sending.allowed:
            return Refused(RefusalReason.QUOTA)
        tag = self.session.tag_at(self.session.now + (now - self.opened_at))
        if tag is None:
            raise TransportUnavailableError("the home gave no sender tag for this hour")
        subject = f"{to.inbox}.{to.device}.{tag}"
        entries: list[Outgoing] = []

        def start(reply: Reply[SendResult]) -> None:
            entry = Outgoing(subject, data, dedupe_key, first_attempt, reply)
            entries.append(entry)
            self.connection.submit(entry)

        def cancel(_reply: Reply[SendResult]) -> None:
            for entry in entries:
                self.connection.cancel(entry)

        return await loop.ask(start, cancel)
