"""Whom we follow: the signed snapshot of what we saw of them, and whether it still holds.

Not here: looking again. Invariant: a snapshot never changes; following anew makes another one.
"""

from dataclasses import dataclass

from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import parse_any_primary
from kezd.store.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredFollow:
    """Somebody we follow. Times are unix seconds.

    Attributes:
        genesis: the first key of their chain.
        handle: under which they were found, if they were.
        snapshot: JCS of what was seen.
        signature: over it, in hex.
        signer: our key that made it.
        since: when it was made.
        broken: why it holds no more, None while it does.
        due_at: when to look again.
    """

    genesis: PublicKey
    handle: str | None
    snapshot: bytes
    signature: str
    signer: PublicKey
    since: float
    broken: str | None
    due_at: float


_SELECT = "SELECT genesis, handle, snapshot, signature, signer, since, broken, due_at FROM follows"


def _follow(row: Row) -> StoredFollow:
    genesis, handle, snapshot, signature, signer, *rest = row
    return StoredFollow(parse_any_primary(genesis), handle, snapshot, signature, PublicKey(signer), *rest)


def save_follow(tx: Transaction, follow: StoredFollow) -> None:
    """Keep a follow as it is now."""
    tx.execute(
        "INSERT OR REPLACE INTO follows (genesis, handle, snapshot, signature, signer, since, broken, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            follow.genesis.primary,
            follow.handle,
            follow.snapshot,
            follow.signature,
            follow.signer.raw,
            follow.since,
            follow.broken,
            follow.due_at,
        ),
    )


def load_follow(tx: Transaction, genesis: PublicKey) -> StoredFollow | None:
    """One of them."""
    row = tx.one(f"{_SELECT} WHERE genesis = ?", (genesis.primary,))
    return None if row is None else _follow(row)


def list_follows(tx: Transaction) -> list[StoredFollow]:
    """All of them, by handle and key."""
    return [_follow(row) for row in tx.all(f"{_SELECT} ORDER BY coalesce(handle, '~'), genesis")]


def drop_follow(tx: Transaction, genesis: PublicKey) -> bool:
    """Follow no more; whether we did."""
    return bool(tx.execute("DELETE FROM follows WHERE genesis = ?", (genesis.primary,)).rowcount)


def next_follow_due(tx: Transaction) -> StoredFollow | None:
    """Who is to be looked at first."""
    row = tx.one(f"{_SELECT} ORDER BY due_at LIMIT 1")
    return None if row is None else _follow(row)
