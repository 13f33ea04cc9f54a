"""The audit log of one profile: who called what, with which outcome.

Works in every state of the profile: what happens before its database is open is kept in
memory, logged, and written when it opens. Invariants: a call that uses the identity's key or
gives power away has its row before it begins, and does not begin without one; the texts of
messages, words and secrets are never in a row.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import trio

from kezd.api import types as t
from kezd.errors import RequestError, Slug, StoreError
from kezd.runtime.audit import AuditEntry
from kezd.store import audit
from kezd.store.database import Database, Transaction

log = logging.getLogger(__name__)

BACKLOG = 1000
"""Rows that wait in memory for a database."""
HOUSEKEEPING = 3600.0
MILLISECONDS = 1000


@dataclass(slots=True)
class Begun:
    """A call that has its row, or waits to get one."""

    entry: AuditEntry
    confirmed_by: str | None = None
    row: int | None = None
    outcome: str = audit.BEGUN


class AuditTrail:
    """See the module. Lives as long as the profile, with or without a database."""

    def __init__(self) -> None:
        self._db: Database | None = None
        self._waiting: list[Begun] = []

    @asynccontextmanager
    async def writing_to(self, db: Database) -> AsyncIterator[None]:
        """Write into this database for the length of the block; what waits comes first."""
        unfinished: list[Begun] = []
        while waiting := tuple(self._waiting):  # more may come while these are written
            rows = await db.write(partial(_write_all, waiting))
            del self._waiting[: len(waiting)]
            for one, (row, outcome) in zip(waiting, rows, strict=True):
                one.row = row
                if outcome == audit.BEGUN:
                    unfinished.append(one)
        self._db = db
        try:
            for one in unfinished:
                if one.outcome != audit.BEGUN:  # ended while it was written
                    await self.end(one, one.outcome)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._forget_old, db)
                yield
                nursery.cancel_scope.cancel()
        finally:
            self._db = None

    async def begin(self, entry: AuditEntry, confirmed_by: str | None) -> Begun:
        """Write the row of a call that is about to begin.

        Raises:
            StoreError: it could not be written; the call must not begin.
        """
        begun = Begun(entry, confirmed_by)
        if self._db is None:
            self._wait(begun)
        else:
            begun.row = await self._db.write(partial(audit.begin, entry=entry, confirmed_by=confirmed_by))
        return begun

    async def end(self, begun: Begun, outcome: str) -> None:
        """Say how it went: `ok` or the error's slug."""
        begun.outcome = outcome
        if self._db is not None and begun.row is not None:
            row = begun.row
            await self._write(self._db, lambda tx: audit.end(tx, row, outcome))

    async def note(self, entry: AuditEntry, outcome: str) -> None:
        """Count a call that has ended."""
        if self._db is None:
            self._wait(Begun(entry, outcome=outcome))
        else:
            await self._write(self._db, lambda tx: audit.note(tx, entry, outcome))

    async def list(self, limit: int, cursor: str | None) -> t.AuditResult:
        """A page, newest first; what waits for a database comes with the first one.

        Raises:
            RequestError: `invalid_argument` for a cursor that is none.
        """
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
            raise RequestError(Slug.INVALID_ARGUMENT, "`cursor` is none of ours", detail={"field": "cursor"})
        if self._db is None:
            raise RequestError(Slug.NO_IDENTITY)
        before = None if cursor is None else int(cursor)
        rows = await self._db.read(partial(audit.page, before=before, limit=limit + 1))
        return t.AuditResult(
            items=[_shown(row) for row in rows[:limit]],
            next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None,
        )

    def _wait(self, begun: Begun) -> None:
        log.info(
            "a call before the profile was open",
            extra={"method": begun.entry.method, "pid": begun.entry.pid, "outcome": begun.outcome},
        )
        if len(self._waiting) < BACKLOG:
            self._waiting.append(begun)

    async def _write(self, db: Database, function: audit.Write) -> None:
        """What has happened has happened: a row that cannot be written is only logged."""
        try:
            await db.write(function)
        except StoreError as error:
            log.warning("a row of the audit log is missing", extra={"cause": error.message})

    async def _forget_old(self, db: Database) -> None:
        while True:
            await self._write(db, audit.prune)
            await trio.sleep(HOUSEKEEPING)


def _write_all(waiting: Sequence[Begun], tx: Transaction) -> list[tuple[int, str]]:
    """In a thread: each row with the outcome that it was written with."""
    rows = []
    for one in waiting:
        row, outcome = audit.begin(tx, one.entry, one.confirmed_by), one.outcome
        if outcome != audit.BEGUN:
            audit.end(tx, row, outcome)
        rows.append((row, outcome))
    return rows


def _shown(row: audit.AuditRow) -> t.AuditItem:
    return t.AuditItem(
        at=int(row.at * MILLISECONDS),
        last_at=int(row.last_at * MILLISECONDS),
        count=row.count,
        method=row.method,
        client=row.client,
        connection=row.connection,
        pid=row.pid,
        executable=row.executable,
        scope=row.scope,
        token=row.token,
        confirmed_by=row.confirmed_by,
        outcome=row.outcome,
    )
