"""Where each incoming stream stands, and what cannot be decoded yet.

Not here: the rule of order and gaps, which is `kezd.kez.ordering`.
"""

import json
from typing import NamedTuple

from kezd.kez.ordering import StreamState
from kezd.store.database import Transaction

UNDECODED_MAX = 1_000
"""Envelopes of unknown versions kept at most: anybody can send one."""
OLDEST_VERSION = 2
"""There was none before, and nothing that says so will ever open: trying again would not end."""
UNDECODED_BYTES = 32 * 1024 * 1024


class Undecoded(NamedTuple):
    """An envelope that waits for a newer kezd."""

    id: str
    sealed: bytes
    arrived_at: float


def load(tx: Transaction, conversation: int, stream: bytes) -> tuple[int, StreamState] | None:
    """A stream's row and state, None before its first message."""
    row = tx.one(
        "SELECT id, highest, missing FROM streams WHERE conversation = ? AND stream = ?",
        (conversation, stream),
    )
    if row is None:
        return None
    return row[0], StreamState(row[1], tuple((first, last) for first, last in json.loads(row[2])))


def create(tx: Transaction, conversation: int, stream: bytes) -> int:
    """The row of a new stream."""
    sql = "INSERT INTO streams (conversation, stream, highest) VALUES (?, ?, 0)"
    return int(tx.execute(sql, (conversation, stream)).lastrowid)


def save(tx: Transaction, row: int, state: StreamState) -> None:
    """Write the state back."""
    tx.execute(
        "UPDATE streams SET highest = ?, missing = ? WHERE id = ?",
        (state.highest, json.dumps(state.missing) if state.missing else "[]", row),
    )


def keep_undecoded(tx: Transaction, envelope_id: str, version: int, sealed: bytes, now: float) -> bool:
    """Keep an envelope for a later kezd; False when there is no room for it."""
    row = tx.one("SELECT count(*), coalesce(sum(length(sealed)), 0) FROM undecoded")
    assert row is not None
    if row[0] >= UNDECODED_MAX or row[1] + len(sealed) > UNDECODED_BYTES:
        return False
    tx.execute(
        "INSERT OR IGNORE INTO undecoded (id, version, sealed, arrived_at) VALUES (?, ?, ?, ?)",
        (envelope_id, version, sealed, now),
    )
    return True


def undecoded(tx: Transaction, version: int, limit: int) -> list[Undecoded]:
    """Kept envelopes that this kezd, which knows up to `version`, may open now."""
    rows = tx.all(
        "SELECT id, sealed, arrived_at FROM undecoded WHERE version BETWEEN ? AND ? LIMIT ?",
        (OLDEST_VERSION, version, limit),
    )
    return [Undecoded._make(row) for row in rows]


def forget_undecoded(tx: Transaction, envelope_id: str) -> None:
    """It was opened."""
    tx.execute("DELETE FROM undecoded WHERE id = ?", (envelope_id,))


def count_undecoded(tx: Transaction) -> int:
    """Envelopes that wait for a newer kezd."""
    row = tx.one("SELECT count(*) FROM undecoded")
    assert row is not None
    return int(row[0])
