"""The peer, built so that it kills itself (SIGKILL) at a named point. A program for tests.

    python -m kezd.testing.crash_peer POINT:N ARGUMENT…

Everything is `kezd.daemon.main`'s but the adapters, which are wrapped: production code has no
hook. Points are counted over the life of the process; the N-th one kills.
"""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from kezd.api.events import Topic
from kezd.daemon.adapters import Adapters
from kezd.daemon.main import main
from kezd.kez.keys import PublicKey
from kezd.kez.signing import Signer
from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoints
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.clock import Clock
from kezd.runtime.transport import Accepted, Delivery, Destination, SendResult
from kezd.services.ports import MessageTransport
from kezd.store.database import Database, Transaction
from kezd.testing.crash_points import Fuse, Point

T = TypeVar("T")


def crashing_database(fuse: Fuse) -> type[Database]:
    """The database, with a fuse after each commit."""

    class CrashingDatabase(Database):
        """Kills after the commit, before its caller goes on."""

        async def write(
            self, function: Callable[[Transaction], T], then: Callable[[T], None] | None = None
        ) -> T:
            """See `Database.write`."""
            passed: list[Point] = []

            def watched(tx: Transaction) -> T:
                result = function(tx)
                passed[:] = [Point.COMMIT, *_points_of(tx)]
                return result

            def committed(result: T) -> None:
                fuse.passed(*passed)
                if then is not None:
                    then(result)

            return await super().write(watched, committed)

    return CrashingDatabase


def _points_of(tx: Transaction) -> list[Point]:
    """What the transaction was about, told by the events it announces."""
    kinds = {event.body.get("type") for event in tx.events if event.topic == Topic.MESSAGE.value}
    named = {"sent": Point.QUEUED, "received": Point.STORED}
    return [point for kind, point in named.items() if kind in kinds]


def crashing_transport(fuse: Fuse) -> type[NatsTransport]:
    """The transport over NATS, with a fuse at each of its doors."""

    class CrashingTransport(NatsTransport):
        """Kills before or after the real thing."""

        async def send(
            self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool
        ) -> SendResult:
            """See `MessageTransport.send`."""
            fuse.passed(Point.SENDING)
            result = await super().send(to, data, dedupe_key, first_attempt=first_attempt)
            if isinstance(result, Accepted):
                fuse.passed(Point.PUBLISHED)
            return result

        async def receive(self) -> Sequence[Delivery]:
            """See `MessageTransport.receive`."""
            deliveries = await super().receive()
            fuse.passed(Point.RECEIVED)
            return deliveries

        async def ack(self, deliveries: Sequence[Delivery]) -> None:
            """See `MessageTransport.ack`."""
            await super().ack(deliveries)
            fuse.passed(Point.ACKED)

    return CrashingTransport


def crashing_adapters(fuse: Fuse) -> Adapters:
    """The production adapters, wrapped."""
    database, transport = crashing_database(fuse), crashing_transport(fuse)

    @asynccontextmanager
    async def open_transport(
        url: str, signer: Signer, primary: PublicKey, installation_id: str, clock: Clock, *, takeover: bool
    ) -> AsyncIterator[MessageTransport]:
        config = NatsConfig(endpoints=parse_endpoints(url))
        async with transport.open(config, signer, installation_id, clock, identity=primary) as opened:
            if takeover:
                opened.takeover()
            yield opened

    return Adapters(open_database=database.open, open_transport=open_transport)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], adapters=crashing_adapters(Fuse.parse(sys.argv[1]))))
