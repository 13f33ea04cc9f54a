"""Results of mutating calls, remembered so that a retried call does nothing twice.

Recalled and remembered in the same transaction as the effect, so that `kill -9` between
commit and reply is answered by the retry with the same result.
"""

import hashlib
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import msgspec

from kezd.errors import RequestError, Slug
from kezd.store.database import Transaction

REMEMBERED_SECONDS = 24 * 3600
CLOCK_TOLERANCE = 3600
FORGET_STEP = 500
"""Results dropped in one transaction."""


@dataclass(frozen=True, slots=True)
class Once:
    """A caller's promise that calls with this key are one call."""

    key: str
    method: str
    params_hash: str
    """Of the parameters without the key, so that a reuse with others is noticed."""


def recall(tx: Transaction, once: Once | None) -> dict[str, Any] | None:
    """The result of the first call with this key, or None.

    Raises:
        RequestError: `idempotency_conflict` when method or parameters differ.
    """
    if once is None:
        return None
    row = tx.one(
        "SELECT method, params_hash, result FROM idempotency WHERE place = ? AND key = ? AND created_at > ?"
        " ORDER BY id DESC LIMIT 1",
        (_place(once.key), once.key, tx.now - REMEMBERED_SECONDS),
    )
    if row is None:
        return None
    if (row[0], row[1]) != (once.method, once.params_hash):
        raise RequestError(Slug.IDEMPOTENCY_CONFLICT)
    result: dict[str, Any] = msgspec.json.decode(row[2])
    return result


def remember(tx: Transaction, once: Once | None, result: dict[str, Any] | msgspec.Struct) -> None:
    """Keep the result of a call for 24 h; nothing to do without a key."""
    if once is not None:
        tx.execute(
            "INSERT INTO idempotency (place, created_at, key, method, params_hash, result)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                _place(once.key),
                tx.now,
                once.key,
                once.method,
                once.params_hash,
                msgspec.json.encode(result).decode(),
            ),
        )


def is_due(tx: Transaction) -> bool:
    """Whether `forget_old` would drop anything: spares an idle peer its writes."""
    row = tx.one("SELECT created_at FROM idempotency ORDER BY id LIMIT 1")
    return row is not None and not tx.now - REMEMBERED_SECONDS < row[0] <= tx.now + CLOCK_TOLERANCE


def forget_old(tx: Transaction) -> bool:
    """Drop what is over 24 h old, or of a time that has not come: the clock was wrong then.

    Looks at one step only, so that a writer never waits for long; whether there is more.
    """
    rows = tx.all("SELECT id, created_at FROM idempotency ORDER BY id LIMIT ?", (FORGET_STEP,))
    first, last = tx.now - REMEMBERED_SECONDS, tx.now + CLOCK_TOLERANCE
    old = list(takewhile(lambda row: not first < row[1] <= last, rows))
    if old:
        tx.execute("DELETE FROM idempotency WHERE id <= ?", (old[-1][0],))
    return len(old) == FORGET_STEP


def _place(key: str) -> int:
    """Where a key stands in the index; two keys may share a place."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
