"""What contacts told of sigchains' heads, and envelopes that wait until it was looked after.

Not here: what a told head means (`services.contacts`).
"""

import hashlib
from typing import NamedTuple

from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Head
from kezd.store.database import Transaction

HELD_OF_ONE = 100
HELD_IN_ALL = 500
HELD_BYTES = 16 * 1024 * 1024


class Held(NamedTuple):
    """An envelope that waits."""

    id: str
    sealed: bytes
    arrived_at: float


def event_hash(tx: Transaction, genesis: PublicKey, seq: int) -> str | None:
    """Hash of an event of a verified chain that is kept here, None when there is none of that seq."""
    row = tx.one("SELECT encoded FROM sigchain_events WHERE genesis = ? AND seq = ?", (genesis.raw, seq))
    return None if row is None else hashlib.sha256(row[0]).hexdigest()


def told_head(tx: Transaction, genesis: PublicKey) -> Head | None:
    """The highest head that the contact told of, while its server has not shown it."""
    row = tx.one("SELECT seq, hash FROM told_heads WHERE genesis = ?", (genesis.raw,))
    return None if row is None else Head(row[0], row[1])


def keep_told(tx: Transaction, genesis: PublicKey, head: Head) -> bool:
    """Remember a told head if it is the highest; whether it was news."""
    known = told_head(tx, genesis)
    if known is not None and known.seq >= head.seq:
        return False
    tx.execute(
        "INSERT OR REPLACE INTO told_heads (genesis, seq, hash, told_at) VALUES (?, ?, ?, ?)",
        (genesis.raw, head.seq, head.hash, tx.now),
    )
    return True


def forget_told(tx: Transaction, genesis: PublicKey) -> None:
    """The server has shown it, or the person decided."""
    tx.execute("DELETE FROM told_heads WHERE genesis = ?", (genesis.raw,))


def hold(tx: Transaction, envelope_id: str, genesis: PublicKey, sealed: bytes, now: float) -> bool:
    """Keep an envelope until the contact's chain was looked at; False when there is no room."""
    row = tx.one(
        "SELECT count(*), coalesce(sum(length(sealed)), 0), coalesce(sum(genesis = ?), 0) FROM held_envelopes",
        (genesis.raw,),
    )
    assert row is not None
    if row[0] >= HELD_IN_ALL or row[1] + len(sealed) > HELD_BYTES or row[2] >= HELD_OF_ONE:
        return False
    tx.execute(
        "INSERT OR IGNORE INTO held_envelopes (id, genesis, sealed, arrived_at) VALUES (?, ?, ?, ?)",
        (envelope_id, genesis.raw, sealed, now),
    )
    return True


def released(tx: Transaction, limit: int) -> list[Held]:
    """Envelopes whose contact was looked at since they came, oldest first."""
    rows = tx.all(
        "SELECT h.id, h.sealed, h.arrived_at FROM held_envelopes h JOIN contacts c USING (genesis)"
        " WHERE c.checked_at >= h.arrived_at ORDER BY h.arrived_at LIMIT ?",
        (limit,),
    )
    return [Held._make(row) for row in rows]


def forget_held(tx: Transaction, envelope_id: str) -> None:
    """It was taken in."""
    tx.execute("DELETE FROM held_envelopes WHERE id = ?", (envelope_id,))
