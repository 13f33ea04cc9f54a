"""Events of sigchains, our own and those of contacts, as the bytes that were verified.

Not here: verification. Invariants: seqs have no holes; a pending event is ours, the last
one, and its bytes never change, because they may have left the machine.
"""

from collections.abc import Iterable

from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Event
from kezd.store.database import Transaction


def load_jsonl(tx: Transaction, genesis: PublicKey) -> bytes:
    """The applied events of a chain as JSONL; empty when there are none."""
    rows = tx.all(
        "SELECT encoded FROM sigchain_events WHERE genesis = ? AND pending = 0 ORDER BY seq", (genesis.raw,)
    )
    return b"".join(row[0] + b"\n" for row in rows)


def load_pending(tx: Transaction, genesis: PublicKey) -> bytes | None:
    """The encoded event that is stored and not yet known to be on the server."""
    row = tx.one("SELECT encoded FROM sigchain_events WHERE genesis = ? AND pending = 1", (genesis.raw,))
    return None if row is None else bytes(row[0])


def add_pending(tx: Transaction, genesis: PublicKey, event: Event) -> None:
    """Store a signed event of ours before it leaves the machine; there may be none of its seq."""
    tx.execute(
        "INSERT INTO sigchain_events (genesis, seq, encoded, pending) VALUES (?, ?, ?, 1)",
        (genesis.raw, event.seq, event.encoded),
    )


def apply_pending(tx: Transaction, genesis: PublicKey) -> None:
    """The pending event is on the server."""
    tx.execute("UPDATE sigchain_events SET pending = 0 WHERE genesis = ? AND pending = 1", (genesis.raw,))


def replace_events(tx: Transaction, genesis: PublicKey, events: Iterable[Event]) -> None:
    """Keep exactly these events of a verified chain; what is the same is not written again."""
    kept: dict[int, bytes] = dict(
        tx.all("SELECT seq, encoded FROM sigchain_events WHERE genesis = ?", (genesis.raw,))
    )
    last = 0
    for event in events:
        last = event.seq
        if kept.get(event.seq) != event.encoded:
            tx.execute(
                "INSERT OR REPLACE INTO sigchain_events (genesis, seq, encoded, pending) VALUES (?, ?, ?, 0)",
                (genesis.raw, event.seq, event.encoded),
            )
    tx.execute("DELETE FROM sigchain_events WHERE genesis = ? AND seq > ?", (genesis.raw, last))
    tx.execute("UPDATE sigchain_events SET pending = 0 WHERE genesis = ? AND pending = 1", (genesis.raw,))
