"""An audit log in a list, for tests of the socket alone: what was written, in order."""

from dataclasses import dataclass

from kezd.api import types as t
from kezd.runtime.audit import AuditEntry


@dataclass(slots=True)
class MemoryRow:
    """One row."""

    entry: AuditEntry
    outcome: str
    confirmed_by: str | None = None


class MemoryAudit:
    """Keeps everything."""

    def __init__(self) -> None:
        self.rows: list[MemoryRow] = []

    async def begin(self, entry: AuditEntry, confirmed_by: str | None) -> MemoryRow:
        """A row of its own."""
        row = MemoryRow(entry, "begun", confirmed_by)
        self.rows.append(row)
        return row

    async def end(self, begun: MemoryRow, outcome: str) -> None:
        """Change it."""
        begun.outcome = outcome

    async def note(self, entry: AuditEntry, outcome: str) -> None:
        """A row for each call, so that tests see them all."""
        self.rows.append(MemoryRow(entry, outcome))

    async def list(self, limit: int, cursor: str | None) -> t.AuditResult:
        """None of them: tests look into `rows`."""
        return t.AuditResult(items=[])
