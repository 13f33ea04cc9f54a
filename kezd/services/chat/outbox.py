"""The outbox at work: sends what is queued, many at once, and writes down what became of it.

Not here: queueing (`outgoing`, `receipts`) and which rows come next (`backlog`). Invariants:
the bytes of an envelope never change; first attempts of a thread begin in its order; what
became of an attempt is committed in batches; a row is in hand at most once at a time; only
`TransportUnavailableError` and refusals that pass are tried again.
"""

import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

import trio

from kezd.errors import KezdError
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import message_id
from kezd.runtime.backoff import BackoffPolicy
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import Destination, LinkState, TransportUnavailableError
from kezd.services.chat.backlog import Backlog, Walk
from kezd.services.chat.loops import Bell, endless, write_patiently
from kezd.services.chat.outgoing import Envelope, destination
from kezd.services.chat.pacing import Pacer
from kezd.services.chat.results import Fate, Unroutable, expire, passes, record
from kezd.services.chat.steady import SteadyClock
from kezd.services.ports import ContactBook, MessageTransport
from kezd.store import conversations, outbox
from kezd.store.database import Database, Transaction
from kezd.store.outbox import OutboxRow

log = logging.getLogger(__name__)

WORKERS = 256
"""Envelopes under way at once."""
IN_HAND_MAX = 1024
IN_HAND_BYTES = 8 * 1024 * 1024
PAGE = 256
RECEIPT_FIRST = 0.02
"""Seconds that a receipt has to be first: then nobody needs to know that the transport took the message."""
RECORD_PAUSE = 0.1
"""Seconds, under load: where the delivered receipt comes sooner, there is nothing left to write."""
RESULTS_ENOUGH = IN_HAND_MAX // 2
REPUBLISH_CHECK = 60.0
"""Seconds between looks for accepted messages that have to be sent again."""
RECONNECT_BASE = 6 * 3600.0
"""A reconnect sends an accepted message again when its last attempt is this old, then twice this, and so on."""
SWEEP = 3600.0
"""Seconds between looks for messages that are too old."""
FLUSH_GRACE = 2.0
"""Seconds that closing waits for what is under way."""

_Addressed = list[tuple[OutboxRow, Destination | KezdError]]


class Outbox:
    """Sends; `offer` new envelopes after their commit."""

    def __init__(
        self,
        db: Database,
        transport: MessageTransport,
        contacts: ContactBook,
        settings: ChatSettings,
        steady: SteadyClock,
    ) -> None:
        self._db = db
        self._transport = transport
        self._contacts = contacts
        self._settings = settings
        self._steady = steady
        self._backlog = Backlog(BackoffPolicy(first=settings.retry_base_s, ceiling=settings.retry_ceiling_s))
        self._ready: deque[Envelope] = deque()
        self._in_hand: set[int] = set()
        self._threads: Counter[int] = Counter()
        self._bytes = 0
        self._pacer = Pacer(RESULTS_ENOUGH)
        self._results: list[tuple[OutboxRow, Fate]] = []
        self._online = False
        self._closing = False
        self._next_republish = 0.0
        self._pump_bell = Bell()
        self._result_bell = Bell()
        self._page_bell = Bell()
        self._settled = Bell()
        self._idle = trio.lowlevel.ParkingLot()
        self._workers = 0
        self._coming = 0
        self._nursery: trio.Nursery

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        db: Database,
        transport: MessageTransport,
        contacts: ContactBook,
        settings: ChatSettings,
        steady: SteadyClock,
    ) -> AsyncIterator["Outbox"]:
        """Send for the length of the block; on leaving, what is under way has 2 s to be written down."""
        self = cls(db, transport, contacts, settings, steady)
        async with trio.open_nursery() as self._nursery:
            for loop in (self._link_loop, self._pump_loop, self._record_loop, self._sweep_loop):
                self._nursery.start_soon(endless, loop, name=loop.__qualname__)
            try:
                yield self
            finally:
                self._closing = True
                with trio.move_on_after(FLUSH_GRACE, shield=True):
                    await self._flush()
                self._nursery.cancel_scope.cancel()

    def offer(self, envelopes: Iterable[Envelope]) -> None:
        """Take committed envelopes, in the order of their commits. Never blocks."""
        for envelope in envelopes:
            if not self._online or self._closing:
                break  # coming online, or the next start, begins with everything that is queued
            if not self._has_room():
                self._backlog.overflow(envelope.row.id)
            elif self._backlog.admits(envelope.row.conversation):
                self._take(envelope.row)
                self._ready.append(envelope)
        self._wake_workers()
        self._pump_bell.ring()

    def hurry(self, conversation: int) -> None:
        """Something about that thread's contact changed: do not wait for the pause to end."""
        self._backlog.hurry(conversation)
        self._pump_bell.ring()

    async def _flush(self) -> None:
        while self._in_hand:
            await self._settled.wait()

    def _has_room(self) -> bool:
        return len(self._in_hand) < IN_HAND_MAX and self._bytes < IN_HAND_BYTES

    def _take(self, row: OutboxRow) -> None:
        self._in_hand.add(row.id)
        self._threads[row.conversation] += 1
        self._bytes += len(row.sealed)

    def _release(self, row: OutboxRow) -> None:
        self._in_hand.remove(row.id)
        self._bytes -= len(row.sealed)
        self._threads[row.conversation] -= 1
        if not self._threads[row.conversation]:
            del self._threads[row.conversation]
        self._pump_bell.ring()
        self._settled.ring()

    def _wake_workers(self) -> None:
        """See to it that a worker is on its way for each envelope, as far as there are any."""
        wanted = len(self._ready) - self._coming
        woken = len(self._idle.unpark(count=min(wanted, len(self._idle)))) if wanted > 0 else 0
        begun = max(min(wanted - woken, WORKERS - self._workers), 0)
        for _ in range(begun):
            self._nursery.start_soon(endless, self._work_loop, name="Outbox._work_loop")
        self._workers += begun
        self._coming += woken + begun

    async def _work_loop(self) -> None:
        self._coming -= 1
        while True:
            if not self._ready:
                await self._idle.park()
                self._coming -= 1
                continue
            envelope = self._ready.popleft()
            row = envelope.row
            if not self._online or self._backlog.is_paused(row.conversation, self._steady.now()):
                self._release(row)
                continue
            try:
                fate = await self._transport.send(
                    envelope.to, row.sealed, envelope.dedupe_key, first_attempt=envelope.fresh
                )
            except TransportUnavailableError as error:
                log.debug("not sent", extra={"error": str(error)})
                self._backlog.hold(row.conversation, self._steady.now())
                self._release(row)
                continue
            self._conclude(row, fate)

    def _conclude(self, row: OutboxRow, fate: Fate) -> None:
        """Have it written down; a refusal that may pass holds the thread back."""
        if passes(fate) and not row.accepted:
            self._backlog.hold(row.conversation, self._steady.now())
        self._results.append((row, fate))
        self._pacer.owe(1, self._steady.now())
        self._result_bell.ring()
        if self._backlog.has_holds and len(self._results) == len(self._in_hand):
            self._page_bell.ring()  # the next page of a held thread waits for nothing else

    async def _record_loop(self) -> None:
        while True:
            await self._result_bell.wait()
            await self._page_bell.wait_at_most(RECORD_PAUSE if self._pacer.delay else RECEIPT_FIRST)
            self._pacer.flush()
            results, self._results = self._results, []
            await write_patiently(
                self._db, partial(record, self._contacts, results, self._steady.now(), self._settings)
            )
            for row, _fate in results:
                self._release(row)

    async def _link_loop(self) -> None:
        status = self._transport.status()
        while True:
            online = status.state is LinkState.ONLINE
            if online and not self._closing:
                now = self._steady.now()
                await write_patiently(self._db, partial(outbox.make_due, now=now, base=RECONNECT_BASE))
                self._backlog.start_over()
                self._next_republish = 0.0
            self._online = online
            self._pump_bell.ring()
            status = await self._transport.wait_status_change(status)

    async def _pump_loop(self) -> None:
        while True:
            now = self._steady.now()
            if not self._online or self._closing or not self._has_room():
                await self._pump_bell.wait()
            elif walk := self._backlog.ready(now, self._threads.__contains__) or self._backlog.everything:
                await self._read(walk)
            elif now >= self._next_republish:
                await self._republish()
            else:
                due = self._backlog.next_due(self._threads.__contains__)
                wait = min(self._next_republish if due is None else due, self._next_republish) - now
                await self._pump_bell.wait_at_most(max(wait, 0.0))

    async def _read(self, walk: Walk) -> None:
        busy = set(self._in_hand)
        size = self._backlog.page_size(walk, PAGE)
        page = await self._db.read(partial(self._load, walk, size))
        if not self._backlog.is_current(walk):
            return  # refused or reconnected meanwhile: another walk reads these rows
        for row, to in page:
            if row.id in busy or row.id in self._in_hand:
                continue
            if walk.conversation is None and self._backlog.is_held(row.conversation):
                continue
            self._address(row, to)
        if walk.read(page[-1][0].id if page else None):
            self._backlog.finish(walk)
        self._wake_workers()

    async def _republish(self) -> None:
        now = self._steady.now()
        page = await self._db.read(partial(self._load_due, now))
        fresh = [(row, to) for row, to in page if row.id not in self._in_hand]
        for row, to in fresh:
            self._address(row, to)
        self._wake_workers()
        self._next_republish = now + (0.0 if fresh and len(page) == PAGE else REPUBLISH_CHECK)

    def _address(self, row: OutboxRow, to: Destination | KezdError) -> None:
        """Hand a row to the senders, or have it written down why it cannot go."""
        self._take(row)
        if isinstance(to, Destination):
            self._ready.append(Envelope(row, to, message_id(row.sealed), fresh=False))
        else:
            self._conclude(row, Unroutable(to.slug))

    def _load(self, walk: Walk, limit: int, tx: Transaction) -> _Addressed:
        if walk.conversation is None:
            return self._addressed(tx, outbox.queued(tx, walk.after, limit))
        return self._addressed(tx, outbox.queued_of(tx, walk.conversation, walk.after, limit))

    def _load_due(self, now: float, tx: Transaction) -> _Addressed:
        return self._addressed(tx, outbox.due(tx, now, PAGE))

    def _addressed(self, tx: Transaction, rows: list[OutboxRow]) -> _Addressed:
        places: dict[int, Destination | KezdError] = {}
        for row in rows:
            if row.conversation not in places:
                genesis = PublicKey(conversations.genesis_of(tx, row.conversation))
                try:
                    places[row.conversation] = destination(self._contacts.route(tx, genesis))
                except KezdError as error:  # an alarm, a block: shown as the cause, tried again later
                    places[row.conversation] = error
        return [(row, places[row.conversation]) for row in rows]

    async def _sweep_loop(self) -> None:
        while True:
            before = self._steady.now() - self._settings.expire_after_s
            while await write_patiently(self._db, partial(expire, self._contacts, before)):
                pass
            await trio.sleep(SWEEP)
