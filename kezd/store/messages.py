"""Messages as they are shown: one row each, in and out, in the order of a conversation.

Not here: sealed bytes (`outbox`) and gaps (`streams`). Invariants: a message comes in once
for each thread and id; the state of an outgoing message moves forward only; `position`
orders a conversation, a late message taking the place that was held free for it.
"""

# ruff: noqa: S608 - statements are put together from constants of this module only

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from kezd.store.database import Transaction

_COLUMNS = (
    "row, conversation, outgoing, id, kind, text, sent_at, arrived_at, state, cause, position,"
    " request, future_dated, older, newer_version, missing_before"
)


class State(IntEnum):
    """What became of it; a greater one replaces a smaller one. Stored, so never renumbered."""

    QUEUED = 0
    ACCEPTED = 1
    FAILED = 2
    """Below delivered: a receipt that comes after we gave up is the truth."""
    DELIVERED = 3
    READ = 4
    RECEIVED = 10
    SEEN = 11


class MessageRow(NamedTuple):
    """One message. `id` is 16 bytes, `sent_at` unix seconds, `arrived_at` unix milliseconds."""

    row: int
    conversation: int
    outgoing: int
    id: bytes
    kind: str
    text: str | None
    sent_at: int
    arrived_at: int
    state: int
    cause: str | None
    position: int
    request: int
    future_dated: int
    older: int
    newer_version: int
    missing_before: int


class Neighbour(NamedTuple):
    """A message of the same stream."""

    row: int
    n: int
    position: int


def insert_outgoing(tx: Transaction, message: MessageRow) -> None:
    """Store it under its row, which `conversations.take_slot` gave."""
    tx.execute(
        "INSERT INTO messages (row, conversation, outgoing, id, kind, text, sent_at, arrived_at, state, position)"
        " VALUES (?, ?, 1, ?, ?, ?, ?, ?, 0, ?)",
        (message.row, message.conversation, *message[3:8], message.position),
    )


def insert_incoming(
    tx: Transaction, message: MessageRow, stream: int, n: int, body: str | None, receipted_at: float | None
) -> MessageRow | None:
    """Store it and return it with its row; None when this thread has that id already."""
    cursor = tx.execute(
        "INSERT OR IGNORE INTO messages (conversation, outgoing, id, kind, text, sent_at, arrived_at, state,"
        " position, request, future_dated, older, newer_version, missing_before, stream, n, body, receipted_at)"
        " VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*message[1:2], *message[3:9], *message[10:], stream, n, body, receipted_at),
    )
    return message._replace(row=cursor.lastrowid) if cursor.rowcount else None


def advance(tx: Transaction, row: int, state: State, cause: str | None = None) -> MessageRow | None:
    """Move an outgoing message forward; None when it is there or further already."""
    changed = tx.one(
        "UPDATE messages SET state = ?2, cause = ?3 WHERE row = ?1 AND outgoing = 1 AND state < ?2"
        f" RETURNING {_COLUMNS}",
        (row, int(state), cause),
    )
    return None if changed is None else MessageRow._make(changed)


def receipted(tx: Transaction, conversation: int, message_id: bytes, state: State) -> MessageRow | None:
    """Move the outgoing message of that thread forward; None when unknown, or no further than before."""
    changed = tx.one(
        "UPDATE messages SET state = ?3, cause = NULL"
        f" WHERE id = ?1 AND conversation = ?2 AND outgoing = 1 AND state < ?3 RETURNING {_COLUMNS}",
        (message_id, conversation, int(state)),
    )
    return None if changed is None else MessageRow._make(changed)


def wait_because(tx: Transaction, row: int, cause: str) -> MessageRow | None:
    """Say why a queued message still waits; None when that is what it says."""
    changed = tx.one(
        "UPDATE messages SET cause = ?2 WHERE row = ?1 AND state = 0 AND cause IS NOT ?2"
        f" RETURNING {_COLUMNS}",
        (row, cause),
    )
    return None if changed is None else MessageRow._make(changed)


def exists_outgoing(tx: Transaction, conversation: int, message_id: bytes) -> bool:
    """Whether we sent that id in that thread."""
    return (
        tx.one(
            "SELECT 1 FROM messages WHERE id = ? AND conversation = ? AND outgoing = 1",
            (message_id, conversation),
        )
        is not None
    )


def owe_again(tx: Transaction, conversation: int, message_id: bytes, now: float, pause: float) -> int | None:
    """Row of a received message whose receipt was last owed over `pause` seconds ago; noted as owed now."""
    row = tx.one(
        "UPDATE messages SET receipted_at = ?3 WHERE id = ?1 AND conversation = ?2 AND outgoing = 0"
        " AND abs(?3 - receipted_at) >= ?4 RETURNING row",
        (message_id, conversation, now, pause),
    )
    return None if row is None else int(row[0])


def by_row(tx: Transaction, row: int) -> MessageRow | None:
    """One message."""
    found = tx.one(f"SELECT {_COLUMNS} FROM messages WHERE row = ?", (row,))
    return None if found is None else MessageRow._make(found)


def by_id(tx: Transaction, message_id: bytes) -> MessageRow | None:
    """The first message of that id; a stranger may have copied one."""
    found = tx.one(f"SELECT {_COLUMNS} FROM messages WHERE id = ? ORDER BY row LIMIT 1", (message_id,))
    return None if found is None else MessageRow._make(found)


def page(tx: Transaction, conversation: int, before: tuple[int, int] | None, limit: int) -> list[MessageRow]:
    """The newest messages before a (position, row), newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM messages WHERE conversation = ? AND (position, row) < (?, ?)"
        " ORDER BY position DESC, row DESC LIMIT ?",
        (conversation, *(before or (2**62, 2**62)), limit),
    )
    return [MessageRow._make(row) for row in rows]


def page_after(tx: Transaction, conversation: int, after: tuple[int, int], limit: int) -> list[MessageRow]:
    """The oldest messages after a (position, row), oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM messages WHERE conversation = ? AND (position, row) > (?, ?)"
        " ORDER BY position, row LIMIT ?",
        (conversation, *after, limit),
    )
    return [MessageRow._make(row) for row in rows]


def mark_seen(tx: Transaction, conversation: int, up_to: int | None, limit: int) -> list[MessageRow]:
    """Mark at most `limit` received messages as seen and return them."""
    rows = tx.all(
        "UPDATE messages SET state = 11 WHERE row IN (SELECT row FROM messages WHERE conversation = ?"
        f" AND state = 10 AND position <= ? ORDER BY position LIMIT ?) RETURNING {_COLUMNS}",
        (conversation, 2**62 if up_to is None else up_to, limit),
    )
    return [MessageRow._make(row) for row in rows]


def count_unseen(tx: Transaction, conversation: int, up_to: int | None) -> int:
    """How many `mark_seen` would mark."""
    row = tx.one(
        "SELECT count(*) FROM messages WHERE conversation = ? AND state = 10 AND position <= ?",
        (conversation, 2**62 if up_to is None else up_to),
    )
    assert row is not None
    return int(row[0])


def above(tx: Transaction, stream: int, n: int) -> Neighbour | None:
    """The next later message of a stream."""
    row = tx.one(
        "SELECT row, n, position FROM messages WHERE stream = ? AND n > ? ORDER BY n, row LIMIT 1",
        (stream, n),
    )
    return None if row is None else Neighbour._make(row)


def below(tx: Transaction, stream: int, n: int) -> Neighbour | None:
    """The next earlier message of a stream, or one of the same n."""
    row = tx.one(
        "SELECT row, n, position FROM messages WHERE stream = ? AND n <= ? ORDER BY n DESC, row DESC LIMIT 1",
        (stream, n),
    )
    return None if row is None else Neighbour._make(row)


def set_missing_before(tx: Transaction, row: int, missing: int) -> MessageRow | None:
    """Say how many before it have not come."""
    changed = tx.one(
        f"UPDATE messages SET missing_before = ? WHERE row = ? RETURNING {_COLUMNS}", (missing, row)
    )
    return None if changed is None else MessageRow._make(changed)


def count_requests(tx: Transaction) -> int:
    """Messages of strangers who wait for an answer."""
    row = tx.one("SELECT count(*) FROM messages WHERE request = 1")
    assert row is not None
    return int(row[0])


def count_requests_of(tx: Transaction, conversation: int) -> int:
    """Messages of one stranger."""
    row = tx.one("SELECT count(*) FROM messages WHERE request = 1 AND conversation = ?", (conversation,))
    assert row is not None
    return int(row[0])


def admit(tx: Transaction, conversation: int, now: float) -> tuple[list[int], list[MessageRow]]:
    """Their sender was accepted: rows whose delivered receipt is owed now, and those shown as requests."""
    owed = tx.all(
        "UPDATE messages SET receipted_at = ? WHERE conversation = ? AND outgoing = 0"
        " AND receipted_at IS NULL RETURNING row",
        (now, conversation),
    )
    shown = tx.all(
        f"UPDATE messages SET request = 0 WHERE conversation = ? AND request = 1 RETURNING {_COLUMNS}",
        (conversation,),
    )
    return [int(row[0]) for row in owed], [MessageRow._make(row) for row in shown]


def unreceipted(tx: Transaction) -> list[bytes]:
    """Contacts (genesis) with messages whose receipt was never owed."""
    rows: Iterable[tuple[bytes]] = tx.all(
        "SELECT genesis FROM conversations WHERE id IN"
        " (SELECT conversation FROM messages WHERE outgoing = 0 AND receipted_at IS NULL)"
    )
    return [row[0] for row in rows]
