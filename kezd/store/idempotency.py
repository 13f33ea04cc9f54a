"""Results of mutating calls, remembered so that a retried call does nothing twice.

Recalled and remembered in the same transaction as the effect, so that `kill -9` between
commit and reply is answered by the retry with the same result.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from kezd.errors import RequestError, Slug
from kezd.store.database import Transaction

REMEMBERED_SECONDS = 24 * 3600


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
        "SELECT method, params_hash, result FROM idempotency WHERE key = ? AND created_at > ?",
        (once.key, tx.now - REMEMBERED_SECONDS),
    )
    if row is None:
        return None
    if (row[0], row[1]) != (once.method, once.params_hash):
        raise RequestError(Slug.IDEMPOTENCY_CONFLICT)
    result: dict[str, Any] = msgspec.json.decode(row[2])
    return result


def remember(tx: Transaction, once: Once | None, result: dict[str, Any]) -> None:
    """Keep the result of a call for 24 h."""
    if once is not None:
        tx.execute(
            "INSERT OR REPLACE INTO idempotency (key, method, params_hash, result, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (once.key, once.method, once.params_hash, msgspec.json.encode(result).decode(), tx.now),
        )


def forget_old(tx: Transaction) -> None:
    """Drop what is over 24 h old."""
    tx.execute("DELETE FROM idempotency WHERE created_at <= ?", (tx.now - REMEMBERED_SECONDS,))
