"""What became of looking for claims: the last judgement, and the last attempt that gave none.

Not here: judging. Invariant: an attempt that could not check leaves the last judgement as it was.
"""

from dataclasses import dataclass

from kezd.kez.keys import PublicKey
from kezd.kez.verification import Status
from kezd.store.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """What is known of one claim. Times are unix seconds.

    Attributes:
        subject: in normal form.
        primary: the first key of the chain it was looked for; empty when no proof named one.
        status: the last judgement, without what a sigchain says; None when there was never one.
        reason: of the judgement.
        place: that decided it.
        proof: the envelope that decided it.
        checked_at: of the judgement.
        last_good_at: when it was last valid.
        trouble: why the newest attempt could not check, None when it could.
        tried_at: of the newest attempt.
        retry_at: when the service wants to be asked again, 0 for any time.
    """

    subject: str
    primary: str
    status: Status | None
    reason: str
    place: str
    proof: bytes | None
    checked_at: float | None
    last_good_at: float | None
    trouble: str | None
    tried_at: float
    retry_at: float


def load_check(tx: Transaction, subject: str, primary: str) -> StoredCheck | None:
    """What is known of a claim of one primary; '' for whoever is named there."""
    row = tx.one(
        "SELECT subject, primary_key, status, reason, place, proof, checked_at, last_good_at, trouble,"
        " tried_at, retry_at FROM checks WHERE subject = ? AND primary_key = ?",
        (subject, primary),
    )
    if row is None:
        return None
    return StoredCheck(row[0], row[1], None if row[2] is None else Status(row[2]), *row[3:])


def save_check(tx: Transaction, check: StoredCheck) -> None:
    """Keep what is known now."""
    tx.execute(
        "INSERT OR REPLACE INTO checks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            check.subject,
            check.primary,
            None if check.status is None else check.status.value,
            check.reason,
            check.place,
            check.proof,
            check.checked_at,
            check.last_good_at,
            check.trouble,
            check.tried_at,
            check.retry_at,
        ),
    )


@dataclass(frozen=True, slots=True)
class SeenChain:
    """The longest chain seen of somebody, verified. `alarm` is `fork` or `rollback` while one stands."""

    jsonl: bytes
    handle: str | None
    url: str | None
    alarm: str | None


def load_seen(tx: Transaction, genesis: PublicKey) -> SeenChain | None:
    """What was seen of a chain."""
    row = tx.one("SELECT jsonl, handle, url, alarm FROM seen_chains WHERE genesis = ?", (genesis.primary,))
    return None if row is None else SeenChain(*row)


def save_seen(tx: Transaction, genesis: PublicKey, seen: SeenChain) -> None:
    """Keep what was seen."""
    tx.execute(
        "INSERT OR REPLACE INTO seen_chains (genesis, jsonl, handle, url, alarm, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
        (genesis.primary, seen.jsonl, seen.handle, seen.url, seen.alarm, tx.now),
    )


def newest_check(tx: Transaction, subject: str) -> StoredCheck | None:
    """What was judged last of a subject, of whatever primary; else what was tried last."""
    row = tx.one(
        "SELECT primary_key FROM checks WHERE subject = ?"
        " ORDER BY checked_at IS NULL, checked_at DESC, tried_at DESC LIMIT 1",
        (subject,),
    )
    return None if row is None else load_check(tx, subject, row[0])


def forget_seen(tx: Transaction, genesis: PublicKey) -> None:
    """Forget what was seen of a chain, with its alarm."""
    tx.execute("DELETE FROM seen_chains WHERE genesis = ?", (genesis.primary,))
