"""The durable event log behind `events.subscribe`, read again.

Not here: writing it, which is `Transaction.emit` in the transaction of the effect, and
cutting off its old end (`retention`). Invariant: seqs between the oldest kept and the head
have no holes.
"""

import json
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from kezd.runtime.bus import Event
from kezd.store.database import Transaction


class Span(NamedTuple):
    """The log's ends; both 0 when nothing was ever logged."""

    oldest: int
    head: int


def span(tx: Transaction) -> Span:
    """Seq of the oldest event kept and of the newest."""
    # two look-ups at the ends of the table: min and max in one statement would read all of it
    row = tx.one(
        "SELECT coalesce((SELECT min(seq) FROM events), 0), coalesce((SELECT max(seq) FROM events), 0)"
    )
    assert row is not None
    return Span._make(row)


def after(tx: Transaction, seq: int, topics: Collection[str], limit: int) -> list[Event]:
    """Events of those topics that come after `seq`, in order."""
    rows = tx.all(
        "SELECT seq, topic, body FROM events WHERE seq > ? AND topic IN (SELECT value FROM json_each(?))"
        " ORDER BY seq LIMIT ?",
        (seq, json.dumps(sorted(topics)), limit),
    )
    return [_event(*row) for row in rows]


def _event(seq: int, topic: str, body: str) -> Event:
    encoded = body.encode()
    return Event(seq, topic, msgspec.json.decode(encoded), encoded=encoded)
