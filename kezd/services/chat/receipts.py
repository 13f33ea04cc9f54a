"""Receipts: sealing what is owed, and believing what comes in.

Functions of one transaction. Invariants: a receipt counts only from the contact that the
message was sent to, and moves states forward only; receipts go to accepted contacts only,
need none themselves, and are owed in the transaction that stored the message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from kezd.errors import KezdError
from kezd.kez.bodies import MAX_IDS, Receipt, ReceiptState, receipt_body
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import message_id
from kezd.runtime.transport import Destination
from kezd.services.chat.outgoing import Envelope, destination
from kezd.services.chat.sealing import Sealer
from kezd.services.chat.shape import STATE, Names, Standing
from kezd.services.ports import ContactBook, Route, Sender
from kezd.store import conversations, messages, outbox, receipts
from kezd.store.database import Transaction
from kezd.store.messages import State
from kezd.store.receipts import Owed

FLUSH_LIMIT = 2048
"""Receipts looked at in one go."""
FORGED_RECEIPT = "forged_receipt"


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush made, which threads could not be reached, and whether more is owed."""

    envelopes: list[Envelope] = field(default_factory=list)
    stuck: list[int] = field(default_factory=list)
    more: bool = False


def flush_owed(
    tx: Transaction, contacts: ContactBook, sealer: Sealer, now: float, without: Sequence[int]
) -> Flushed:
    """Seal what is owed into the outbox, except to the threads in `without`."""
    owed = receipts.owed(tx, without, FLUSH_LIMIT)
    flushed = Flushed(more=len(owed) == FLUSH_LIMIT)
    for conversation, of_thread in groupby(owed, attrgetter("conversation")):
        try:
            route = contacts.route(tx, PublicKey(conversations.genesis_of(tx, conversation)))
            to = destination(route)
        except KezdError:  # an alarm, a chain not fetched yet: owed until that changes
            flushed.stuck.append(conversation)
            continue
        for read, group in groupby(of_thread, attrgetter("read")):
            state = ReceiptState.READ if read else ReceiptState.DELIVERED
            flushed.envelopes.extend(
                _seal_group(tx, sealer, route, to, conversation, state, list(group), now)
            )
    return flushed


def _seal_group(
    tx: Transaction,
    sealer: Sealer,
    route: Route,
    to: Destination,
    conversation: int,
    state: ReceiptState,
    owed: list[Owed],
    now: float,
) -> list[Envelope]:
    made = []
    for start in range(0, len(owed), MAX_IDS):
        part = owed[start : start + MAX_IDS]
        body = receipt_body(state.value, [one.id.hex() for one in part])
        sealed = sealer.seal_receipt(route, body, int(tx.now))
        identity = outbox.receipt_id(sealer.new_id())
        row = outbox.add(tx, identity, conversation, route.recipient.raw, route.device, sealed, now)
        receipts.settle(tx, [one.message for one in part])
        made.append(Envelope(row, to, message_id(sealed), fresh=True))
    return made


@dataclass(frozen=True, slots=True)
class Applied:
    """What a receipt did.

    Attributes:
        known: whether it names a message that was sent to that contact.
        moved: the thread in which it moved one forward, if it did.
    """

    known: bool
    moved: int | None


def apply_receipt(tx: Transaction, names: Names, sender: Sender, receipt: Receipt) -> Applied:
    """Move the messages that it names forward."""
    thread = conversations.find(tx, sender.genesis.raw)
    if thread is None or Standing(sender.state) is Standing.BLOCKED:
        return Applied(known=False, moved=None)
    state = State.READ if receipt.state is ReceiptState.READ else State.DELIVERED
    known = moved = False
    for text in receipt.ids:
        message_id = bytes.fromhex(text)
        row = messages.receipted(tx, thread.id, message_id, state)
        if row is not None:
            moved = True
            outbox.remove(tx, row.row)
            names.emit(STATE, row)
        else:
            known = known or messages.exists_outgoing(tx, thread.id, message_id)
    return Applied(known or moved, thread.id if moved else None)
