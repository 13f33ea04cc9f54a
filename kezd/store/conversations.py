"""Threads, one a contact: counters, the order's end, and this installation's outgoing stream.

Not here: who the contact is (`contacts`), and the messages. Invariants: a position is given
out once; a rolled-back transaction leaves no hole in the outgoing `n`.
"""

# ruff: noqa: S608 - statements are put together from constants of this module only

from typing import NamedTuple

from kezd.store.database import Transaction

_COLUMNS = "id, genesis, position, last_message, unread, missing"


class Conversation(NamedTuple):
    """One thread. `genesis` is 32 bytes; `last_message` a row of `messages`."""

    id: int
    genesis: bytes
    position: int
    last_message: int | None
    unread: int
    missing: int


class Slot(NamedTuple):
    """The next place of an outgoing message, and the row that it has to be stored under."""

    conversation: int
    position: int
    stream: bytes
    n: int
    row: int


def find(tx: Transaction, genesis: bytes) -> Conversation | None:
    """The thread with a contact."""
    row = tx.one(f"SELECT {_COLUMNS} FROM conversations WHERE genesis = ?", (genesis,))
    return None if row is None else Conversation._make(row)


def ensure(tx: Transaction, genesis: bytes, stream: bytes) -> Conversation:
    """The thread with a contact, made with that outgoing stream (16 random bytes) if there is none."""
    found = find(tx, genesis)
    if found is not None:
        return found
    row = tx.one(
        f"INSERT INTO conversations (genesis, out_stream) VALUES (?, ?) RETURNING {_COLUMNS}",
        (genesis, stream),
    )
    assert row is not None
    return Conversation._make(row)


def genesis_of(tx: Transaction, conversation: int) -> bytes:
    """Whose thread it is."""
    row = tx.one("SELECT genesis FROM conversations WHERE id = ?", (conversation,))
    assert row is not None
    genesis: bytes = row[0]
    return genesis


def take_slot(tx: Transaction, genesis: bytes, stream: bytes) -> Slot:
    """Take the next outgoing place, the thread's newest; `stream` is used if the thread is new."""
    sql = (
        "UPDATE conversations SET position = position + 1, out_n = out_n + 1,"
        " last_message = (SELECT coalesce(max(row), 0) + 1 FROM messages) WHERE genesis = ?"
        " RETURNING id, position, out_stream, out_n, last_message"
    )
    row = tx.one(sql, (genesis,))
    if row is None:
        ensure(tx, genesis, stream)
        row = tx.one(sql, (genesis,))
        assert row is not None
    return Slot._make(row)


def save(tx: Transaction, thread: Conversation) -> None:
    """Write the counters back after a batch of arrivals."""
    tx.execute(
        "UPDATE conversations SET position = ?, last_message = ?, unread = ?, missing = ? WHERE id = ?",
        (thread.position, thread.last_message, thread.unread, thread.missing, thread.id),
    )


def less_unread(tx: Transaction, conversation: int, count: int) -> None:
    """So many became seen."""
    tx.execute("UPDATE conversations SET unread = max(unread - ?, 0) WHERE id = ?", (count, conversation))


def page(tx: Transaction, before: int | None, limit: int) -> list[Conversation]:
    """Threads that have messages, latest first; `before` is the last one's `last_message`."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM conversations WHERE last_message < ? ORDER BY last_message DESC LIMIT ?",
        (2**62 if before is None else before, limit),
    )
    return [Conversation._make(row) for row in rows]
