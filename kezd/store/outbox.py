"""Sealed envelopes on their way: what is not accepted yet, and what has no delivered receipt yet.

Not here: when to send. Invariants: `sealed` never changes; a text's id is its message's row,
so texts are handed out in the order they were queued, and no id is used again; a receipt's
id is negative and random, since receipts have no order; a text's row goes with its delivered receipt, a receipt's row when
the transport has accepted it. Subjects and addresses are not kept: they come from the
contact's chain at each attempt.
"""

# ruff: noqa: S608 - statements are put together from constants of this module only

from typing import NamedTuple

from kezd.store.database import Row, Transaction

PAGE_BYTES = 4 * 1024 * 1024

FIRST = -(1 << 63)
"""Comes before every id."""

_COLUMNS = "id, conversation, accepted, sealed"


class OutboxRow(NamedTuple):
    """One envelope."""

    id: int
    conversation: int
    accepted: int
    sealed: bytes

    @property
    def message(self) -> int | None:
        """Row of the text, None for a receipt."""
        return self.id if self.id > 0 else None


def receipt_id(random: bytes) -> int:
    """The id of a receipt, from 7 or more random bytes."""
    return -1 - int.from_bytes(random[:7], "big")


def add(
    tx: Transaction, id: int, conversation: int, recipient: bytes, device: str, sealed: bytes, now: float
) -> OutboxRow:
    """Queue an envelope for a recipient's key (32 bytes) and device."""
    tx.execute(
        "INSERT INTO outbox (id, conversation, created_at, recipient, device, sealed) VALUES (?, ?, ?, ?, ?, ?)",
        (id, conversation, now, recipient, device, sealed),
    )
    return OutboxRow(id, conversation, 0, sealed)


def _page(tx: Transaction, where: str, parameters: tuple[float, ...], limit: int) -> list[OutboxRow]:
    cursor = tx.execute(f"SELECT {_COLUMNS} FROM outbox WHERE {where} LIMIT ?", (*parameters, limit))
    rows: list[OutboxRow] = []
    size = 0
    row: Row
    for row in cursor:
        rows.append(OutboxRow._make(row))
        size += len(rows[-1].sealed)
        if size >= PAGE_BYTES:
            break
    cursor.close()
    return rows


def queued(tx: Transaction, after: int, limit: int) -> list[OutboxRow]:
    """What is not accepted, in order; fewer than `limit` also when they are large, none at the end only."""
    return _page(tx, "accepted = 0 AND id > ? ORDER BY id", (after,), limit)


def queued_of(tx: Transaction, conversation: int, after: int, limit: int) -> list[OutboxRow]:
    """The same for one thread."""
    return _page(tx, "accepted = 0 AND conversation = ? AND id > ? ORDER BY id", (conversation, after), limit)


def due(tx: Transaction, now: float, limit: int) -> list[OutboxRow]:
    """Accepted ones that have to be sent again."""
    return _page(tx, "accepted = 1 AND due_at <= ? ORDER BY due_at", (now,), limit)


def accepted(tx: Transaction, outbox_id: int, now: float, due_at: float) -> bool:
    """The transport took a text, which is sent again at `due_at` unless its receipt comes; False when it came."""
    changed: int = tx.execute(
        "UPDATE outbox SET accepted = 1, attempts = attempts + 1, attempted_at = ?, due_at = ? WHERE id = ?",
        (now, due_at, outbox_id),
    ).rowcount
    return changed > 0


def postpone(tx: Transaction, outbox_id: int, due_at: float) -> None:
    """An accepted one was refused this time."""
    tx.execute("UPDATE outbox SET due_at = ? WHERE id = ? AND accepted = 1", (due_at, outbox_id))


def make_due(tx: Transaction, now: float, base: float) -> int:
    """After a reconnect: what was sent long enough ago is due, the pause doubling with each attempt."""
    changed: int = tx.execute(
        "UPDATE outbox SET due_at = ?1 WHERE accepted = 1 AND due_at > ?1"
        " AND attempted_at + ?2 * (1 << min(attempts - 1, 20)) <= ?1",
        (now, base),
    ).rowcount
    return changed


def remove(tx: Transaction, outbox_id: int) -> None:
    """It needs no sending any more: its receipt came, or it was one, or it was refused."""
    tx.execute("DELETE FROM outbox WHERE id = ?", (outbox_id,))


def take_expired(tx: Transaction, created_before: float, limit: int) -> list[OutboxRow]:
    """Remove and return what was queued before a time."""
    rows = tx.all(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at <= ? LIMIT ?)"
        " RETURNING id, conversation, accepted, X''",
        (created_before, limit),
    )
    return [OutboxRow._make(row) for row in rows]


class Waiting(NamedTuple):
    """How much waits: texts and receipts not accepted, texts accepted without a delivered receipt."""

    queued: int
    receipts: int
    undelivered: int


def waiting(tx: Transaction) -> Waiting:
    """Count what waits."""
    row = tx.one(
        "SELECT count(*) FILTER (WHERE accepted = 0 AND id > 0),"
        " count(*) FILTER (WHERE id < 0), count(*) FILTER (WHERE accepted = 1) FROM outbox"
    )
    assert row is not None
    return Waiting._make(row)
