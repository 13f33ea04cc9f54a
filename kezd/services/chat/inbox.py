"""Taking in a batch of opened envelopes: one transaction, before anything is acknowledged.

Not here: opening them, and the transport. Invariants: a message is stored once for each
contact and id; nothing waits for a gap; a late message takes the place that was held free
for it; strangers' messages are requests, capped, never announced with their text; what is
dropped is counted.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from kezd.kez.heads import SeenHead
from kezd.kez.jcs import MAX_INT
from kezd.kez.keys import PublicKey
from kezd.kez.ordering import Noted, StreamState, note
from kezd.kez.sender_tag import message_id
from kezd.services.chat.opening import Arrival, Dropped, Newer, Receipted, Text
from kezd.services.chat.receipts import FORGED_RECEIPT, apply_receipt
from kezd.services.chat.shape import MILLISECONDS, MISSING_FILLED, RECEIVED, REQUEST, Names, Standing
from kezd.services.ports import ContactBook, HeadGossip, Sender
from kezd.store import conversations, drops, messages, receipts, streams
from kezd.store.database import Transaction
from kezd.store.heads import hold
from kezd.store.messages import MessageRow, State
from kezd.store.savepoint import savepoint

REQUESTS_OF_ONE = 20
REQUESTS_IN_ALL = 1_000
FUTURE_TOLERANCE = 5 * 60
"""Seconds that a sender's clock may be ahead of ours without a flag."""
RECEIPT_PAUSE = 60.0
"""Seconds between two receipts for one message that comes again and again."""
HELD_FREE_MAX = 1 << 20
"""Positions held free for one gap at most, so that a huge n cannot use them up."""

DUPLICATE = "duplicate"
BLOCKED = "blocked"
TOO_MANY_REQUESTS = "too_many_requests"
TOO_MANY_UNDECODED = "too_many_undecoded"


@dataclass(frozen=True, slots=True)
class Rules:
    """What does not change between batches.

    Attributes:
        restored_at: unix seconds when this installation was restored; what is dated before is older.
    """

    restored_at: float | None


@dataclass(slots=True)
class Taken:
    """What a batch asks for after its commit."""

    strangers: list[PublicKey] = field(default_factory=list)
    receipts_owed: int = 0
    receiving: set[int] = field(default_factory=set)
    """Threads whose contact has just taken something in."""
    told: dict[bytes, list[SeenHead]] = field(default_factory=dict)
    """What contacts, by genesis, have seen of our own sigchain, and we have not."""
    gossiped: bool = False
    """Whether somebody may have to be looked at now."""


@dataclass(slots=True)
class _Thread:
    row: conversations.Conversation
    requests: int | None = None


@dataclass(slots=True)
class _Stream:
    row: int
    state: StreamState
    changed: bool = False


class Intake:
    """One batch in one transaction; `take` each, then `finish`."""

    def __init__(
        self,
        tx: Transaction,
        contacts: ContactBook,
        rules: Rules,
        steady_now: float,
        new_stream: Callable[[], bytes],
        gossip: HeadGossip | None = None,
        *,
        final: bool = False,
    ) -> None:
        self._gossip = gossip
        self._final = final
        self._tx = tx
        self._contacts = contacts
        self._rules = rules
        self._steady_now = steady_now
        self._new_stream = new_stream
        self._names = Names(tx, contacts)
        self._senders: dict[bytes, Sender] = {}
        self._threads: dict[bytes, _Thread] = {}
        self._streams: dict[tuple[int, bytes], _Stream] = {}
        self._drops: Counter[str] = Counter()
        self._owed: dict[int, list[int]] = {}
        self._requests: int | None = None
        self._taken = Taken()

    def take(self, arrival: Arrival) -> None:
        """Store one, or count why not."""
        match arrival:
            case Text():
                self._take_text(arrival)
            case Receipted():
                self._take_receipt(arrival)
            case Newer():
                if not streams.keep_undecoded(
                    self._tx, arrival.id, arrival.version, arrival.sealed, arrival.received_at
                ):
                    self._drops[TOO_MANY_UNDECODED] += 1
            case Dropped():
                self._drops[arrival.cause] += 1
            case _:
                assert_never(arrival)

    def finish(self) -> Taken:
        """Write the counters."""
        for thread in self._threads.values():
            conversations.save(self._tx, thread.row)
        for stream in self._streams.values():
            if stream.changed:
                streams.save(self._tx, stream.row, stream.state)
        for conversation, rows in self._owed.items():
            receipts.owe(self._tx, conversation, rows, read=False)
            self._taken.receipts_owed += len(rows)
        drops.add(self._tx, self._drops)
        return self._taken

    def _held(self, arrival: Text | Receipted) -> bool:
        """Keep what an unknown key says in a contact's name, until that contact's chain was looked at."""
        if self._gossip is None or self._final or not arrival.heads or arrival.sender.raw in self._senders:
            return False  # who was looked up in this batch already is known
        said = self._gossip.said_to_be(self._tx, arrival.sender, arrival.heads)
        self._taken.gossiped = self._taken.gossiped or said is not None
        return said is not None and hold(
            self._tx, message_id(arrival.sealed), said, arrival.sealed, arrival.received_at
        )

    def _hear(self, sender: Sender, arrival: Text | Receipted) -> None:
        if self._gossip is None or not arrival.heads:
            return
        told = self._gossip.heard(self._tx, sender.genesis, arrival.heads)
        self._taken.gossiped = True
        if told:
            self._taken.told.setdefault(sender.genesis.raw, []).extend(told)

    def _take_receipt(self, arrival: Receipted) -> None:
        if self._held(arrival):
            return
        sender = self._senders.get(arrival.sender.raw)
        if sender is None:
            with savepoint(self._tx) as take_back:  # a receipt makes no stranger known
                sender = self._contacts.sender(self._tx, arrival.sender)
                if conversations.find(self._tx, sender.genesis.raw) is None:
                    take_back()
                    self._drops[FORGED_RECEIPT] += 1
                    return
            self._senders[arrival.sender.raw] = sender
        applied = apply_receipt(self._tx, self._names, sender, arrival.receipt)
        if not applied.known:
            self._drops[FORGED_RECEIPT] += 1
        else:
            self._hear(sender, arrival)
        if applied.moved is not None:
            self._taken.receiving.add(applied.moved)

    def _take_text(self, text: Text) -> None:
        if self._held(text):
            return
        sender = self._sender(text.sender)
        if sender is None:
            self._drops[TOO_MANY_REQUESTS] += 1
            return
        standing = Standing(sender.state)
        if standing is Standing.BLOCKED:
            self._drops[BLOCKED] += 1
            return
        self._hear(sender, text)
        thread = self._thread(sender)
        if standing is Standing.REQUEST and not self._request_fits(thread):
            self._drops[TOO_MANY_REQUESTS] += 1
            return
        stored = self._store(thread, text, standing)
        if stored is None:
            self._drops[DUPLICATE] += 1
            if standing is Standing.ACCEPTED:
                again = messages.owe_again(self._tx, thread.row.id, text.id, self._steady_now, RECEIPT_PAUSE)
                if again is not None:
                    self._owe(thread, again)
        elif standing is Standing.ACCEPTED:
            self._owe(thread, stored.row)
            self._names.emit(RECEIVED, stored, notify=not stored.older)
        else:
            self._count_request(thread, sender)
            self._names.emit(REQUEST, stored._replace(text=None), notify=False)

    def _owe(self, thread: _Thread, row: int) -> None:
        self._owed.setdefault(thread.row.id, []).append(row)

    def _sender(self, key: PublicKey) -> Sender | None:
        """Who wrote; None for a new stranger when there is no room for more requests."""
        found = self._senders.get(key.raw)
        if found is not None:
            return found
        with savepoint(self._tx) as take_back:
            found = self._contacts.sender(self._tx, key)
            if Standing(found.state) is Standing.REQUEST and self._requests_in_all() >= REQUESTS_IN_ALL:
                take_back()
                return None
        self._senders[key.raw] = found
        return found

    def _thread(self, sender: Sender) -> _Thread:
        thread = self._threads.get(sender.genesis.raw)
        if thread is None:
            row = conversations.ensure(self._tx, sender.genesis.raw, self._new_stream())
            thread = _Thread(row)
            self._threads[sender.genesis.raw] = thread
            self._names.put(row.id, sender.genesis, sender.handle)
        return thread

    def _requests_in_all(self) -> int:
        if self._requests is None:
            self._requests = messages.count_requests(self._tx)
        return self._requests

    def _request_fits(self, thread: _Thread) -> bool:
        if thread.requests is None:
            thread.requests = messages.count_requests_of(self._tx, thread.row.id)
        return thread.requests < REQUESTS_OF_ONE and self._requests_in_all() < REQUESTS_IN_ALL

    def _count_request(self, thread: _Thread, sender: Sender) -> None:
        assert thread.requests is not None
        thread.requests += 1
        self._requests = self._requests_in_all() + 1
        if sender.handle is None:
            self._taken.strangers.append(sender.genesis)

    def _stream(self, conversation: int, text: Text) -> _Stream:
        stream = self._streams.get((conversation, text.stream))
        if stream is None:
            loaded = streams.load(self._tx, conversation, text.stream)
            row, state = loaded or (streams.create(self._tx, conversation, text.stream), StreamState())
            stream = _Stream(row, state)
            self._streams[conversation, text.stream] = stream
        return stream

    def _store(self, thread: _Thread, text: Text, standing: Standing) -> MessageRow | None:
        stream = self._stream(thread.row.id, text)
        ahead = text.n - stream.state.highest - 1
        noted = note(self._known_start(stream.state, text.n), text.n)
        late = None if ahead >= 0 else _late_place(self._tx, stream.row, text.n)
        end = thread.row.position
        position = end + 1 + min(ahead, HELD_FREE_MAX) if ahead >= 0 else end + 1
        missing_before = 0 if noted.opened is None else noted.opened[1] - noted.opened[0] + 1
        if late is not None:
            position = late.position if late.above is not None else position
            missing_before = late.missing_before if noted.filled else 0
        stored = messages.insert_incoming(
            self._tx,
            self._row(thread, text, standing, position, missing_before),
            stream.row,
            text.n,
            text.body,
            self._steady_now if standing is Standing.ACCEPTED else None,
        )
        if stored is None:
            return None
        self._advance(thread, stream, noted, stored)
        if noted.filled and late is not None and late.above is not None:
            self._fill(late.above, text.n)
        return stored

    def _known_start(self, state: StreamState, n: int) -> StreamState:
        """A restored installation cannot tell a gap from what its predecessor had received."""
        if state.highest == 0 and self._rules.restored_at is not None:
            return StreamState(n - 1)
        return state

    def _fill(self, above: messages.Neighbour, n: int) -> None:
        filled = messages.set_missing_before(self._tx, above.row, above.n - n - 1)
        assert filled is not None
        if not filled.request:
            self._names.emit(MISSING_FILLED, filled)

    def _advance(self, thread: _Thread, stream: _Stream, noted: Noted, stored: MessageRow) -> None:
        missing = thread.row.missing
        if noted.opened is not None or noted.filled:
            # A thousand streams that each claim 2**53 are more than a database's integer holds.
            missing = min(max(missing + _count(noted.state) - _count(stream.state), 0), MAX_INT)
        newest = stored.position > thread.row.position
        thread.row = thread.row._replace(
            position=max(thread.row.position, stored.position),
            last_message=stored.row if newest else thread.row.last_message,
            unread=thread.row.unread + 1,
            missing=missing,
        )
        stream.state = noted.state
        stream.changed = True

    def _row(
        self, thread: _Thread, text: Text, standing: Standing, position: int, missing_before: int
    ) -> MessageRow:
        restored_at = self._rules.restored_at
        return MessageRow(
            row=0,
            conversation=thread.row.id,
            outgoing=0,
            id=text.id,
            kind=text.kind,
            text=text.text,
            sent_at=text.sent_at,
            arrived_at=int(text.received_at * MILLISECONDS),
            state=State.RECEIVED,
            cause=None,
            position=position,
            request=standing is Standing.REQUEST,
            future_dated=text.sent_at > self._tx.now + FUTURE_TOLERANCE,
            older=restored_at is not None and text.sent_at < restored_at,
            newer_version=text.body is not None,
            missing_before=missing_before,
        )


@dataclass(frozen=True, slots=True)
class _Late:
    position: int
    missing_before: int
    above: messages.Neighbour | None


def _late_place(tx: Transaction, stream: int, n: int) -> _Late:
    """Where a late message belongs: as far before the next one of its stream as n says.

    In a gap that was too large to be held free as a whole, it is counted from the gap's
    beginning instead, and what finds no place of its own shares the last one.
    """
    above, below = messages.above(tx, stream, n), messages.below(tx, stream, n)
    if above is None:
        return _Late(0, 0, None)
    first, start = (0, above.position - HELD_FREE_MAX - 1) if below is None else (below.n, below.position)
    position = max(above.position - (above.n - n), min(start + n - first, above.position - 1))
    return _Late(max(position, 1), max(n - first - 1, 0), above)


def _count(state: StreamState) -> int:
    return sum(last - first + 1 for first, last in state.missing)


def take_batch(
    tx: Transaction,
    contacts: ContactBook,
    rules: Rules,
    arrivals: Sequence[Arrival],
    steady_now: float,
    new_stream: Callable[[], bytes],
    gossip: HeadGossip | None = None,
    *,
    final: bool = False,
) -> Taken:
    """Take in a batch; `final` when it was held before, and is not held again."""
    intake = Intake(tx, contacts, rules, steady_now, new_stream, gossip, final=final)
    for arrival in arrivals:
        intake.take(arrival)
    return intake.finish()
