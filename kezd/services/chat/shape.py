"""Rows of the store as the API shows them.

Invariant: one place makes a `Message`, so that lists, results and events never differ.
"""

from enum import Enum
from typing import Any, Literal, assert_never, get_args

import msgspec

from kezd.api.events import Topic
from kezd.api.types import Message, MessageState
from kezd.kez.keys import PRIMARY_PREFIX, PublicKey
from kezd.services.ports import ContactBook
from kezd.store import conversations
from kezd.store.database import Transaction
from kezd.store.messages import MessageRow, State

MILLISECONDS = 1000
RECEIVED = "received"
SENT = "sent"
STATE = "state"
SEEN = "seen"
"""What a contact wrote was marked as seen: one event for all of it, without a message."""
MISSING_FILLED = "missing_filled"
REQUEST = "request"
"""A stranger's message: its event holds no text."""


class Standing(Enum):
    """What the person decided about a contact, as `ContactBook` says it."""

    ACCEPTED = "accepted"
    REQUEST = "request"
    BLOCKED = "blocked"


STANDINGS: dict[Standing, Literal["request", "accepted", "blocked"]] = {
    Standing.ACCEPTED: "accepted",
    Standing.REQUEST: "request",
    Standing.BLOCKED: "blocked",
}


def _state_name(state: State) -> MessageState:
    match state:
        case State.QUEUED:
            return "queued"
        case State.ACCEPTED:
            return "accepted"
        case State.FAILED:
            return "failed"
        case State.DELIVERED:
            return "delivered"
        case State.READ:
            return "read"
        case State.RECEIVED:
            return "received"
        case State.SEEN:
            return "seen"
        case _:
            assert_never(state)


_STATES: dict[int, MessageState] = {state: _state_name(state) for state in State}
assert set(_STATES.values()) == set(get_args(MessageState))


class Names:
    """Contact and handle of each thread, read once per transaction."""

    def __init__(self, tx: Transaction, contacts: ContactBook) -> None:
        self._tx = tx
        self._contacts = contacts
        self._known: dict[int, tuple[str, str | None]] = {}

    def of(self, conversation: int) -> tuple[str, str | None]:
        """Primary and handle of a thread's contact."""
        found = self._known.get(conversation)
        if found is None:
            genesis = conversations.genesis_of(self._tx, conversation)
            contact = self._contacts.known(self._tx, PublicKey(genesis))
            found = (PRIMARY_PREFIX + genesis.hex(), None if contact is None else contact.handle)
            self._known[conversation] = found
        return found

    def put(self, conversation: int, genesis: PublicKey, handle: str | None) -> None:
        """Spare the look-up of what the caller knows."""
        self._known[conversation] = (genesis.primary, handle)

    def message(self, row: MessageRow) -> Message:
        """The row as the API shows it."""
        contact, handle = self.of(row.conversation)
        return Message(
            id=row.id.hex(),
            contact=contact,
            handle=handle,
            direction="out" if row.outgoing else "in",
            kind=row.kind,
            text=row.text,
            sent_at=row.sent_at * MILLISECONDS,
            arrived_at=row.arrived_at,
            state=_STATES[row.state],
            cause=row.cause,
            position=row.position,
            request=bool(row.request),
            future_dated=bool(row.future_dated),
            older=bool(row.older),
            needs_newer_version=bool(row.newer_version),
            missing_before=row.missing_before,
        )

    def emit(self, kind: str, row: MessageRow, **more: Any) -> Message:
        """Log an event about the row, to be published after the commit; returns what it shows."""
        message = self.message(row)
        body = {"type": kind, "message": msgspec.structs.asdict(message), **more}
        self._tx.emit(Topic.MESSAGE.value, body)
        return message
