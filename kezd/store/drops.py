"""What was dropped, counted by cause since the database began. Never what was in it."""

from collections.abc import Mapping

from kezd.store.database import Transaction


def add(tx: Transaction, counts: Mapping[str, int]) -> None:
    """Add to the counters."""
    tx.execute_many(
        "INSERT INTO drops (cause, count) VALUES (?, ?)"
        " ON CONFLICT (cause) DO UPDATE SET count = count + excluded.count",
        list(counts.items()),
    )


def by_cause(tx: Transaction) -> dict[str, int]:
    """Every counter."""
    return {row[0]: row[1] for row in tx.all("SELECT cause, count FROM drops ORDER BY cause")}
