"""Rows of the audit log: one for a call that matters by itself, or one for many alike.

Alike are calls of one connection, method and outcome within an hour of the clock. Rows are
never changed but for their count, last time and outcome, and go only by age and number.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kezd.runtime.audit import AuditEntry
from kezd.store.database import Transaction

BEGUN = "begun"
"""Outcome of a call that has not ended; it stands for good when the daemon died during it."""
OK = "ok"
KEPT_SECONDS = 365 * 24 * 3600
KEPT_ROWS = 100_000
PRUNED_AT_ONCE = 5_000
HOUR = 3600

Write = Callable[[Transaction], object]

_INSERT = (
    "INSERT INTO audit (at, last_at, hour, connection, method, client, pid, executable, scope, token,"
    " confirmed_by, outcome) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
)
_ALIKE = (
    _INSERT + " ON CONFLICT (connection, method, outcome, hour) WHERE hour IS NOT NULL"
    " DO UPDATE SET count = count + 1, last_at = excluded.last_at"
)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row. Times are unix seconds."""

    id: int
    at: float
    last_at: float
    count: int
    connection: str
    method: str
    client: str
    pid: int
    executable: str
    scope: str
    token: str | None
    confirmed_by: str | None
    outcome: str


def note(tx: Transaction, entry: AuditEntry, outcome: str = OK) -> None:
    """Count a call that has ended, in its own transaction if it has one."""
    tx.execute(_ALIKE, _values(tx, entry, int(tx.now // HOUR), None, outcome))


def begin(tx: Transaction, entry: AuditEntry, confirmed_by: str | None) -> int:
    """A row of its own for a call that begins."""
    row: int = tx.execute(_INSERT, _values(tx, entry, None, confirmed_by, BEGUN)).lastrowid
    return row


def end(tx: Transaction, row: int, outcome: str) -> None:
    """How that call went."""
    tx.execute("UPDATE audit SET outcome = ?, last_at = ? WHERE id = ?", (outcome, tx.now, row))


def page(tx: Transaction, before: int | None, limit: int) -> list[AuditRow]:
    """Rows older than one, newest first."""
    rows = tx.all(
        "SELECT id, at, last_at, count, connection, method, client, pid, executable, scope, token,"
        " confirmed_by, outcome FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**63 - 1 if before is None else before, limit),
    )
    return [AuditRow(*row) for row in rows]


def prune(tx: Transaction) -> None:
    """Drop some of what is too old or too much; the oldest go first."""
    tx.execute(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?1)"
        " AND (last_at < ?2 OR id <= (SELECT max(id) FROM audit) - ?3)",
        (PRUNED_AT_ONCE, tx.now - KEPT_SECONDS, KEPT_ROWS),
    )


def _values(
    tx: Transaction, entry: AuditEntry, hour: int | None, confirmed_by: str | None, outcome: str
) -> tuple[object, ...]:
    return (
        tx.now,
        hour,
        entry.connection,
        entry.method,
        entry.client,
        entry.pid,
        entry.executable,
        entry.scope,
        entry.token,
        confirmed_by,
        outcome,
    )
