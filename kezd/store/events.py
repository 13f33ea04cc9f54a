"""The durable event log behind `events.subscribe`: reading it again, and cutting off its old end.

Not here: writing it, which is `Transaction.emit` in the transaction of the effect.
Invariant: seqs between the oldest kept and the head have no holes.
"""

import json
from collections.abc import Collection
from typing import NamedTuple

from kezd.runtime.bus import Event
from kezd.store.database import Transaction


class Span(NamedTuple):
    """The log's ends; both 0 when nothing was ever logged."""

    oldest: int
    head: int


def span(tx: Transaction) -> Span:
    """Seq of the oldest event kept and of the newest."""
    row = tx.one("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM events")
    assert row is not None
    return Span._make(row)


def after(tx: Transaction, seq: int, topics: Collection[str], limit: int) -> list[Event]:
    """Events of those topics that come after `seq`, in order."""
    rows = tx.all(
        "SELECT seq, topic, body FROM events WHERE seq > ? AND topic IN (SELECT value FROM json_each(?))"
        " ORDER BY seq LIMIT ?",
        (seq, json.dumps(sorted(topics)), limit),
    )
    return [Event(row[0], row[1], json.loads(row[2])) for row in rows]


def prune(tx: Transaction, keep: int) -> int:
    """Drop all but the newest `keep` (at least 1, so that seqs go on); returns how many went."""
    head = span(tx).head
    dropped: int = tx.execute("DELETE FROM events WHERE seq <= ?", (head - max(keep, 1),)).rowcount
    return dropped
