"""Our own claims, the step that each has reached, and what the home server has still to be told.

Not here: signing, publishing, checking. Invariant: a step is written before the next one begins.
"""

from dataclasses import dataclass
from enum import Enum

from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope
from kezd.store.database import Row, Transaction


class Step(Enum):
    """How far a claim has come."""

    SIGNED = "signed"
    PUBLISHING = "publishing"
    """The service may have been told, or the person was given the text to publish."""
    PUBLISHED = "published"
    VERIFIED = "verified"
    ADDED = "added"
    """The sigchain names it."""
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """One claim of ours. Times are unix seconds."""

    subject: str
    envelope: Envelope
    step: Step
    url: str | None
    handle: str | None
    created_at: float


_SELECT = "SELECT subject, envelope, step, url, handle, created_at FROM claims"


def _claim(row: Row) -> StoredClaim:
    subject, envelope, step, url, handle, created_at = row
    return StoredClaim(subject, decode_envelope(envelope), Step(step), url, handle, created_at)


def load_claim(tx: Transaction, subject: str) -> StoredClaim | None:
    """The claim about a subject in normal form."""
    row = tx.one(f"{_SELECT} WHERE subject = ?", (subject,))
    return None if row is None else _claim(row)


def list_claims(tx: Transaction) -> list[StoredClaim]:
    """All of them, by subject."""
    return [_claim(row) for row in tx.all(f"{_SELECT} ORDER BY subject")]


def save_claim(tx: Transaction, claim: StoredClaim) -> None:
    """Keep a claim as it is now."""
    tx.execute(
        "INSERT OR REPLACE INTO claims (subject, envelope, step, url, handle, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            claim.subject,
            encode_envelope(claim.envelope),
            claim.step.value,
            claim.url,
            claim.handle,
            claim.created_at,
            tx.now,
        ),
    )


def want_hint(tx: Transaction) -> None:
    """The home server has to be told what we are found by."""
    tx.execute("UPDATE claims_state SET hint_due = hint_due + 1")


def hint_wanted(tx: Transaction) -> tuple[int, int]:
    """A number that is not 0 while the home has to be told, and the date of the last list, in unix seconds."""
    row = tx.one("SELECT hint_due, hint_at FROM claims_state")
    assert row is not None
    return row[0], row[1]


def hint_told(tx: Transaction, wanted: int, at: int) -> None:
    """The home has the list; done, unless something has changed meanwhile."""
    tx.execute(
        "UPDATE claims_state SET hint_at = ?, hint_due = CASE hint_due WHEN ? THEN 0 ELSE hint_due END",
        (at, wanted),
    )


def own_due(tx: Transaction) -> float:
    """When our claims are to be looked at again."""
    row = tx.one("SELECT due_at FROM claims_state")
    assert row is not None
    return float(row[0])


def set_own_due(tx: Transaction, at: float) -> None:
    """Look at our claims again at that time."""
    tx.execute("UPDATE claims_state SET due_at = ?", (at,))
