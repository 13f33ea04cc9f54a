"""The daemon, with a source of events beside its database: what `kezd` is, but for one adapter.

`python -m bench.programs.event_source CONTROL`. The profile's database, event log, bus and socket are
the daemon's own. On the Unix socket CONTROL, which is there while a profile is open, each line
`{events, batch, pause}` makes it commit so many `message` events, `batch` in a transaction, `pause`
seconds apart; it answers with `{at}`: for each transaction, how many events there were after it, and
the second at which they were committed and handed to who listens.
"""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

from bench.programs.event_wire import Order, event_body
from kezd.api.events import Topic
from kezd.daemon.adapters import Adapters
from kezd.daemon.main import main
from kezd.runtime.bus import Bus, Event
from kezd.runtime.clock import Clock
from kezd.store.database import Database, Transaction

decode = msgspec.json.Decoder(Order).decode


class TimedBus(Bus):
    """Remembers when it was last handed something."""

    published_at = 0.0

    def publish(self, events: Iterable[Event]) -> None:
        """As the bus does it."""
        self.published_at = time.perf_counter()
        super().publish(events)


def emit(first: int, count: int, tx: Transaction) -> None:
    for number in range(first, first + count):
        tx.emit(Topic.MESSAGE.value, event_body(number))


async def write(db: Database, bus: TimedBus, order: Order) -> list[tuple[int, float]]:
    at: list[tuple[int, float]] = []
    for first in range(0, order.events, order.batch):
        count = min(order.batch, order.events - first)
        times: list[float] = []
        await db.write(partial(emit, first, count), then=lambda _, t=times: t.append(bus.published_at))
        at.append((first + count, times[0]))
        if order.pause:
            await trio.sleep(order.pause)
    return at


async def obey(db: Database, bus: TimedBus, stream: trio.SocketStream) -> None:
    async with stream:
        while line := await stream.receive_some(65536):
            at = await write(db, bus, decode(line))
            await stream.send_all(msgspec.json.encode({"at": at}) + b"\n")


@asynccontextmanager
async def open_database(
    control: Path, path: Path, key: bytes, clock: Clock, _bus: Bus
) -> AsyncIterator[Database]:
    """The database, and the source beside it."""
    bus = TimedBus()
    async with Database.open(path, key, clock, bus) as db, trio.open_nursery() as nursery:
        listener = trio.socket.socket(trio.socket.AF_UNIX)
        await listener.bind(str(control))
        listener.listen()
        nursery.start_soon(trio.serve_listeners, partial(obey, db, bus), [trio.SocketListener(listener)])
        try:
            yield db
        finally:
            nursery.cancel_scope.cancel()
            control.unlink()


if __name__ == "__main__":
    sys.exit(main([], os.environ, Adapters(open_database=partial(open_database, Path(sys.argv[1])))))
