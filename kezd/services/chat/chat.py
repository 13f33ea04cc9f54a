"""The chat of one identity: sends, receives, tells what became of each message.

The one place where the parts meet: `outgoing` and `outbox` on the way out, `opening`,
`inbox` and `receipts` on the way in. Invariants: nothing is sent or announced before its
commit, nothing is acknowledged before its commit; a stranger's bytes never end a loop.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_bytes
from typing import Any, Self

import trio

from kezd.api.events import Topic
from kezd.api.types import ReadResult, SendResult
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey
from kezd.kez.sealed import VERSION
from kezd.kez.signing import Signer
from kezd.runtime.audit import AuditEntry
from kezd.runtime.clock import Clock
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import Delivery
from kezd.services.chat.history import ChatHistory
from kezd.services.chat.inbox import Rules, Taken, take_batch
from kezd.services.chat.loops import Bell, endless, write_patiently
from kezd.services.chat.opening import Arrival, open_batch
from kezd.services.chat.outbox import Outbox
from kezd.services.chat.outgoing import Queued, check_text, preview, queue_text
from kezd.services.chat.pacing import Pacer
from kezd.services.chat.receipts import Flushed, flush_owed
from kezd.services.chat.sealing import Entropy, Sealer
from kezd.services.chat.seen import SEEN_LIMIT, admit, mark_seen
from kezd.services.chat.steady import SteadyClock
from kezd.services.ports import ContactBook, HeadGossip, MessageTransport
from kezd.store import conversations, messages, streams
from kezd.store.audit import note
from kezd.store.database import Database, Transaction
from kezd.store.heads import Held, forget_held, released
from kezd.store.idempotency import Once, recall, remember
from kezd.store.streams import Undecoded

INLINE_MAX = 4
"""Envelopes opened in the Trio thread; more go to another thread, 0.1 ms each is too long a pause."""
REOPEN_LIMIT = 64
RECEIPTS_ENOUGH = 200
"""Receipts that are sent together without waiting for more."""
STUCK_RETRY = 60.0
"""Seconds until receipts that had no route are tried again without a reason."""


class Chat(ChatHistory):
    """Reading as in `ChatHistory`, and everything that needs the identity's key and a link."""

    def __init__(
        self,
        db: Database,
        transport: MessageTransport,
        signer: Signer,
        contacts: ContactBook,
        clock: Clock,
        settings: ChatSettings,
        restored_at: float | None,
        entropy: Entropy,
        retired: Sequence[Signer] = (),
        gossip: HeadGossip | None = None,
    ) -> None:
        super().__init__(db, contacts)
        self._transport = transport
        self._signers = (signer, *retired)
        self._gossip = gossip
        self._sealer = Sealer(signer, entropy) if gossip is None else Sealer(signer, entropy, gossip.own_head)
        self._clock = clock
        self._steady = SteadyClock(clock)
        self._settings = settings
        self._rules = Rules(restored_at)
        self._pacer = Pacer(RECEIPTS_ENOUGH)
        self._receipts_bell = Bell()
        self._enough_bell = Bell()
        self._held_bell = Bell()
        self._stuck: set[int] = set()
        self._outbox: Outbox

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        db: Database,
        transport: MessageTransport,
        signer: Signer,
        contacts: ContactBook,
        clock: Clock,
        settings: ChatSettings,
        *,
        restored_at: float | None = None,
        entropy: Entropy = token_bytes,
        retired: Sequence[Signer] = (),
        gossip: HeadGossip | None = None,
    ) -> AsyncIterator[Self]:
        """Chat for the length of the block, with or without a link.

        Args:
            db: the profile's database.
            transport: the pipe for sealed envelopes.
            signer: the identity's key.
            contacts: who is who.
            clock: wall clock and monotonic clock.
            settings: section `[chat]` of the configuration.
            restored_at: unix seconds when this installation was restored from words, if it was.
            entropy: returns so many random bytes.
            retired: former keys of the identity, which still open mail.
            gossip: heads of sigchains that contacts tell of.
        """
        self = cls(db, transport, signer, contacts, clock, settings, restored_at, entropy, retired, gossip)
        opened = Outbox.open(db, transport, contacts, settings, self._steady)
        async with opened as self._outbox, trio.open_nursery() as nursery:
            for loop in (
                self._receive_loop,
                self._receipts_loop,
                self._contacts_loop,
                self._held_loop,
            ):
                nursery.start_soon(endless, loop, name=loop.__qualname__)
            yield self
            nursery.cancel_scope.cancel()

    async def send(
        self,
        to: str,
        text: str,
        once: Once | None = None,
        *,
        dry_run: bool = False,
        audit: AuditEntry | None = None,
    ) -> SendResult:
        """Queue a text (at most 32 KiB) for a contact; it is durable when this returns.

        `audit` is whose call this is, for the row of the audit log.

        Raises:
            RequestError: `not_a_contact`, `blocked`, `request_pending`, `no_common_version`,
                `too_large`, `invalid_argument`, `idempotency_conflict`.
            TrustError: an alarm stands.
            StoreError: `disk_full`, `store_failed`; nothing was queued.
        """
        body = check_text(text)
        if dry_run:
            return await self._db.read(lambda tx: preview(tx, self._contacts, to, text, self._clock.now()))
        queued = await self._db.write(partial(self._queue, to, body, once, audit), then=self._offer)
        return queued.result

    def _offer(self, queued: Queued) -> None:
        if queued.envelope is not None:
            self._outbox.offer([queued.envelope])

    def _queue(
        self, to: str, body: dict[str, str], once: Once | None, audit: AuditEntry | None, tx: Transaction
    ) -> Queued:
        queued = queue_text(tx, self._contacts, self._sealer, to, body, once, self._steady.now())
        if audit is not None:
            note(tx, audit)
        return queued

    async def read(
        self,
        contact: str,
        up_to: int | None = None,
        once: Once | None = None,
        *,
        dry_run: bool = False,
        audit: AuditEntry | None = None,
    ) -> ReadResult:
        """Mark what a contact wrote as seen, up to a position or all of it.

        `audit` is whose call this is, for the row of the audit log.

        Raises:
            RequestError: `not_a_contact`, `idempotency_conflict`.
            StoreError: `disk_full`, `store_failed`.
        """
        genesis = await self._db.read(partial(self._contacts.named, name=contact))
        if dry_run:
            return ReadResult(marked=await self._db.read(partial(_count_unseen, genesis, up_to)))
        earlier = await self._db.read(partial(recall, once=once)) or {"marked": 0, "more": True}
        marked: int = earlier["marked"]
        more: bool = earlier.get("more", False)
        while more:
            count = await self._db.write(partial(self._mark_seen, genesis, up_to, once, marked, audit))
            audit = None
            marked, more = marked + count, count == SEEN_LIMIT
            if count:
                self._receipts_bell.ring()
        return ReadResult(marked=marked)

    def _mark_seen(
        self,
        genesis: PublicKey,
        up_to: int | None,
        once: Once | None,
        before: int,
        audit: AuditEntry | None,
        tx: Transaction,
    ) -> int:
        """One step; the key remembers how far it got, so that a killed call goes on where it was."""
        wanted = self._settings.read_receipts
        count = mark_seen(tx, self._contacts, genesis, up_to, receipts_wanted=wanted)
        remember(tx, once, {"marked": before + count, "more": count == SEEN_LIMIT})
        if audit is not None:
            note(tx, audit)
        return count

    async def _receive_loop(self) -> None:
        await self._reopen()
        while True:
            deliveries = await self._transport.receive()
            await self._take(await self._open(deliveries))
            await self._transport.ack(deliveries)

    async def _open(self, deliveries: Sequence[Delivery]) -> list[Arrival]:
        if len(deliveries) <= INLINE_MAX:
            return open_batch(self._signers, deliveries)
        return await trio.to_thread.run_sync(open_batch, self._signers, deliveries)

    async def _reopen(self) -> None:
        """Take in what an older kezd kept because it could not open it."""
        while kept := await self._db.read(partial(streams.undecoded, version=VERSION, limit=REOPEN_LIMIT)):
            deliveries = [Delivery(one.sealed, one.arrived_at, "") for one in kept]
            await self._take(await self._open(deliveries), kept)

    async def _held_loop(self) -> None:
        """Take in what was held for a look at its contact, once that was done."""
        while True:
            while held := await self._db.read(partial(released, limit=REOPEN_LIMIT)):
                deliveries = [Delivery(one.sealed, one.arrived_at, "") for one in held]
                await self._take(await self._open(deliveries), held=held)
            await self._held_bell.wait_at_most(STUCK_RETRY)

    async def _take(
        self, arrivals: Sequence[Arrival], kept: Sequence[Undecoded] = (), held: Sequence[Held] = ()
    ) -> None:
        taken = await write_patiently(self._db, partial(self._store, arrivals, kept, held))
        if self._gossip is not None and taken.gossiped:
            for teller, heads in taken.told.items():
                self._gossip.told(PublicKey(teller), heads)
            self._gossip.look()
        if taken.receipts_owed:
            self._pacer.owe(taken.receipts_owed, self._clock.monotonic())
            self._receipts_bell.ring()
            if self._pacer.enough:
                self._enough_bell.ring()
        for conversation in taken.receiving:
            self._outbox.hurry(conversation)  # there is room in that inbox again
        for stranger in taken.strangers:
            self._contacts.wants_lookup(stranger)

    def _store(
        self, arrivals: Sequence[Arrival], kept: Sequence[Undecoded], held: Sequence[Held], tx: Transaction
    ) -> Taken:
        for one in kept:
            streams.forget_undecoded(tx, one.id)
        for waiting in held:
            forget_held(tx, waiting.id)
        now, new_id = self._steady.now(), self._sealer.new_id
        return take_batch(
            tx, self._contacts, self._rules, arrivals, now, new_id, self._gossip, final=bool(held)
        )

    async def _receipts_loop(self) -> None:
        self._receipts_bell.ring()  # what the last run owed
        while True:
            if not await self._receipts_bell.wait_at_most(STUCK_RETRY):
                self._stuck.clear()
            elif self._pacer.delay:
                await self._enough_bell.wait_at_most(self._pacer.delay)
            self._pacer.flush()
            flushed = await write_patiently(self._db, partial(self._flush, tuple(self._stuck)))
            self._stuck.update(flushed.stuck)
            self._outbox.offer(flushed.envelopes)
            if flushed.more:
                self._receipts_bell.ring()

    def _flush(self, without: Sequence[int], tx: Transaction) -> Flushed:
        return flush_owed(tx, self._contacts, self._sealer, self._steady.now(), without)

    async def _contacts_loop(self) -> None:
        while True:
            with self._db.bus.subscribe([Topic.CONTACT.value]) as subscription:
                for raw in await self._db.read(messages.unreceipted):
                    await self._contact_changed(PublicKey(raw))
                while batch := await subscription.receive_batch():
                    for genesis in dict.fromkeys(_genesis(event.body) for event in batch):
                        await self._contact_changed(genesis)

    async def _contact_changed(self, genesis: PublicKey) -> None:
        """An answer to a request, a new key, an end of an alarm: what waited for it goes on."""
        self._held_bell.ring()
        conversation = await write_patiently(
            self._db, partial(admit, self._contacts, genesis, self._steady.now())
        )
        if conversation is not None:
            self._stuck.discard(conversation)
            self._outbox.hurry(conversation)
            self._receipts_bell.ring()


def _genesis(event: dict[str, Any]) -> PublicKey:
    """Whom a contact event is about."""
    return parse_primary(event["contact"]["genesis"])


def _count_unseen(genesis: PublicKey, up_to: int | None, tx: Transaction) -> int:
    thread = conversations.find(tx, genesis.raw)
    return 0 if thread is None else messages.count_unseen(tx, thread.id, up_to)
