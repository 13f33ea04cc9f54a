"""Receipts that are owed to others: written with the message, gone when sealed into the outbox.

Not here: receipts that came in (they move `messages` forward). Invariant: a read receipt
takes the place of a delivered one, which it includes.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kezd.store.database import Transaction


class Owed(NamedTuple):
    """One receipt: the row and the id (16 bytes) of the message it is for."""

    conversation: int
    read: int
    message: int
    id: bytes


def owe(tx: Transaction, conversation: int, messages: Iterable[int], *, read: bool) -> None:
    """Owe a receipt for each of these rows."""
    tx.execute_many(
        "INSERT INTO receipts_owed (message, conversation, read) VALUES (?, ?, ?)"
        " ON CONFLICT (message) DO UPDATE SET read = max(read, excluded.read)",
        [(message, conversation, int(read)) for message in messages],
    )


def owed(tx: Transaction, without: Sequence[int], limit: int) -> list[Owed]:
    """What is owed, grouped by thread and kind, except to the threads in `without`."""
    rows = tx.all(
        "SELECT o.conversation, o.read, o.message, m.id FROM receipts_owed o JOIN messages m ON m.row = o.message"
        " WHERE o.conversation NOT IN (SELECT value FROM json_each(?)) ORDER BY 1, 2, 3 LIMIT ?",
        (json.dumps(without), limit),
    )
    return [Owed._make(row) for row in rows]


def settle(tx: Transaction, messages: Iterable[int]) -> None:
    """These are in the outbox now."""
    tx.execute_many("DELETE FROM receipts_owed WHERE message = ?", [(message,) for message in messages])


def count(tx: Transaction) -> int:
    """How many are owed."""
    row = tx.one("SELECT count(*) FROM receipts_owed")
    assert row is not None
    return int(row[0])
