"""Queueing a text: one transaction from the caller's words to sealed bytes in the outbox.

Not here: sending them. Invariant: after the commit the message, its place in the order,
its sealed bytes, its event and the caller's idempotency key are all there, or none is.
"""

from dataclasses import dataclass

import msgspec

from kezd.api.types import Message, SendResult
from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.bodies import MAX_TEXT, Kind, text_body
from kezd.kez.errors import BodyError
from kezd.kez.sender_tag import message_id
from kezd.runtime.transport import Destination
from kezd.services.chat.sealing import Sealer
from kezd.services.chat.shape import MILLISECONDS, SENT, Names
from kezd.services.ports import ContactBook, Route
from kezd.store import conversations, messages, outbox
from kezd.store.database import Transaction
from kezd.store.idempotency import Once, recall, remember
from kezd.store.messages import MessageRow, State
from kezd.store.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope in hand.

    Attributes:
        row: the outbox row.
        to: where the contact's chain says, now.
        dedupe_key: 32 hex digits of the sealed bytes' hash.
        fresh: whether nobody can have tried to send it before.
    """

    row: OutboxRow
    to: Destination
    dedupe_key: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """A message as queued; without an envelope when it is the answer to a repeated call."""

    result: SendResult
    envelope: Envelope | None


def destination(route: Route) -> Destination:
    """Where to send, as the chain says.

    Raises:
        TrustError: `chain_invalid` when the chain names no usable inbox.
    """
    try:
        return Destination(route.nats_url, route.inbox, route.device)
    except ValueError as error:
        raise TrustError(Slug.CHAIN_INVALID, f"the contact's chain names no usable inbox: {error}") from error


def check_text(text: str) -> dict[str, str]:
    """The body of a text message.

    Raises:
        RequestError: `invalid_argument` when empty or not Unicode, `too_large` over 32 KiB.
    """
    try:
        return text_body(text)
    except BodyError as error:
        large = len(text.encode("utf-8", "replace")) > MAX_TEXT
        raise RequestError(Slug.TOO_LARGE if large else Slug.INVALID_ARGUMENT, str(error)) from error


def preview(tx: Transaction, contacts: ContactBook, to: str, text: str, now: float) -> SendResult:
    """What `queue_text` would answer, without an id or a place: nothing changes."""
    route = contacts.route_by_name(tx, to)
    destination(route)
    return SendResult(
        message=Message(
            id="",
            contact=route.genesis.primary,
            handle=route.handle,
            direction="out",
            kind=Kind.TEXT.value,
            text=text,
            sent_at=int(now) * MILLISECONDS,
            arrived_at=int(now * MILLISECONDS),
            state="queued",
        )
    )


def queue_text(
    tx: Transaction,
    contacts: ContactBook,
    sealer: Sealer,
    name: str,
    body: dict[str, str],
    once: Once | None,
    steady_now: float,
) -> Queued:
    """Store and seal a text for the contact of that name.

    Raises:
        TrustError: an alarm stands.
        RequestError: the contact cannot be written to, or `idempotency_conflict`.
    """
    earlier = recall(tx, once)
    if earlier is not None:
        return Queued(msgspec.convert(earlier, SendResult), None)
    # Looked up here and not before, which would be a hop to the reading thread.
    route = contacts.route_by_name(tx, name)
    to = destination(route)
    slot = conversations.take_slot(tx, route.genesis.raw, sealer.new_id())
    sent_at, identity = int(tx.now), sealer.new_id()
    message = _row(slot, identity, body["text"], sent_at, tx.now)
    messages.insert_outgoing(tx, message)
    sealed = sealer.seal(route, Kind.TEXT, body, id=identity, stream=slot.stream, n=slot.n, sent_at=sent_at)
    queued = outbox.add(
        tx, slot.row, slot.conversation, route.recipient.raw, route.device, sealed, steady_now
    )
    names = Names(tx, contacts)
    names.put(slot.conversation, route.genesis, route.handle)
    result = SendResult(message=names.emit(SENT, message))
    remember(tx, once, result)
    return Queued(result, Envelope(queued, to, message_id(sealed), fresh=True))


def _row(slot: conversations.Slot, identity: bytes, text: str, sent_at: int, now: float) -> MessageRow:
    return MessageRow(
        row=slot.row,
        conversation=slot.conversation,
        outgoing=1,
        id=identity,
        kind=Kind.TEXT.value,
        text=text,
        sent_at=sent_at,
        arrived_at=int(now * MILLISECONDS),
        state=State.QUEUED,
        cause=None,
        position=slot.position,
        request=0,
        future_dated=0,
        older=0,
        newer_version=0,
        missing_before=0,
    )
