"""Cutting off the old end of the event log, a little at a time, and knowing how large it is.

Age and size are hard limits: what is over them goes. The count is not: what a named
consumer has not acknowledged stays until age or size take it. Not here: when it runs
(`daemon.housekeeping`). Invariants: a step touches at most `STEP` events, so that a writer
never waits for long; the newest event is never deleted, so that seqs go on; nothing is
counted while an event is written.
"""

from dataclasses import dataclass
from typing import NamedTuple

from kezd.store.database import Transaction
from kezd.store.events import span

STEP = 500
"""Events looked at or deleted in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How much of the log is kept."""

    count: int
    """Events; more while a consumer has not acknowledged them."""
    seconds: float
    """Since an event was written."""
    size: int
    """Bytes of bodies."""


class Measured(NamedTuple):
    """The log's size: `bytes` of bodies from the oldest event to seq `up_to`."""

    up_to: int
    bytes: int


def measured(tx: Transaction) -> Measured:
    """What was counted so far."""
    row = tx.one("SELECT up_to, bytes FROM events_measured")
    assert row is not None
    return Measured._make(row)


def measure(tx: Transaction) -> bool:
    """Count in what was logged since the last time, at most one step of it; whether there is more."""
    up_to, _ = measured(tx)
    row = tx.one(
        "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM"
        " (SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?)",
        (up_to, STEP),
    )
    assert row is not None
    count, last, size = row
    if count:
        tx.execute("UPDATE events_measured SET up_to = ?, bytes = bytes + ?", (last, size))
    return bool(count == STEP)


def cut(tx: Transaction, keep: Keep) -> int:
    """Delete what is not to be kept, at most one step of it, from the old end on.

    Only what was measured goes, so measure first.

    Returns:
        How many events went; `STEP` when there may be more.
    """
    up_to, total = measured(tx)
    oldest, head = span(tx)
    surplus_up_to = min(head - keep.count, _acknowledged(tx, head))
    rows = tx.all(
        "SELECT seq, created_at, length(CAST(body AS BLOB)) FROM events WHERE seq <= ? ORDER BY seq LIMIT ?",
        (min(up_to, head - 1), STEP),
    )
    last, size = oldest - 1, 0
    for seq, created_at, length in rows:
        over = created_at < tx.now - keep.seconds or total - size > keep.size
        if not over and seq > surplus_up_to:
            break
        last, size = seq, size + length
    if last < oldest:
        return 0
    tx.execute("UPDATE events_measured SET bytes = bytes - ?", (size,))
    dropped: int = tx.execute("DELETE FROM events WHERE seq <= ?", (last,)).rowcount
    return dropped


def is_due(tx: Transaction, keep: Keep) -> bool:
    """Whether there is anything to measure or to cut: spares an idle peer its writes."""
    up_to, total = measured(tx)
    oldest, head = span(tx)
    if up_to < head or total > keep.size:
        return True
    if min(head - keep.count, _acknowledged(tx, head)) >= oldest > 0:
        return True
    row = tx.one("SELECT created_at FROM events WHERE seq = ?", (oldest,))
    return row is not None and oldest < head and row[0] < tx.now - keep.seconds


def _acknowledged(tx: Transaction, head: int) -> int:
    """The seq that every consumer is done with."""
    row = tx.one("SELECT coalesce(min(acked), ?) FROM consumers", (head,))
    assert row is not None
    return int(row[0])
