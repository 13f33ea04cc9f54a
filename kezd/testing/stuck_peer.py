"""`kezd` with a part that gets stuck while a file is there: what the watchdog is for.

    python -m kezd.testing.stuck_peer deaf|store FILE [arguments of kezd]

`deaf`: the transport goes on saying online, with nothing heard since an hour ago. `store`: the next
commit waits inside its transaction until the file goes away. Everything else is the real peer.
"""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from kezd.daemon.adapters import Adapters, open_nats
from kezd.daemon.main import main
from kezd.runtime.transport import LinkStatus
from kezd.services.ports import MessageTransport
from kezd.store.database import Database, Transaction

HOUR = 3600
POLL = 0.02


class Deaf:
    """A transport whose status claims what it does not do."""

    def __init__(self, transport: MessageTransport, switch: Path) -> None:
        self._transport = transport
        self._switch = switch

    def status(self) -> LinkStatus:
        """As it is, but for what it heard."""
        true = self._transport.status()
        if not self._switch.exists():
            return true
        return replace(true, since=true.since - HOUR, last_received_at=true.since - HOUR)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def deaf(switch: Path) -> Adapters:
    """The real transport behind `Deaf`."""

    @asynccontextmanager
    async def opened(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        async with open_nats(*arguments, **options) as transport:
            yield Deaf(transport, switch)

    return Adapters(open_transport=opened)


def held_store(switch: Path) -> Adapters:
    """The real database, in which somebody writes for as long as the file is there."""

    @asynccontextmanager
    async def opened(*arguments: Any) -> AsyncIterator[Database]:
        async with Database.open(*arguments) as db, trio.open_nursery() as nursery:
            nursery.start_soon(_hold_when_asked, db, switch)
            yield db
            nursery.cancel_scope.cancel()

    return Adapters(open_database=opened)


async def _hold_when_asked(db: Database, switch: Path) -> None:
    def hold(_tx: Transaction) -> None:
        while switch.exists():
            threading.Event().wait(POLL)

    while True:
        if switch.exists():
            await db.write(hold)
        await trio.sleep(POLL)


if __name__ == "__main__":
    kind, file, *rest = sys.argv[1:]
    sys.exit(main(rest, adapters={"deaf": deaf, "store": held_store}[kind](Path(file))))
