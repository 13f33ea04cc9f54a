"""One SQLite file: a writer thread, a reader on the event loop, and migrations by number.

Point selects take some five microseconds, so they run on the loop; everything that commits goes
through one thread, in order, and is durable (WAL, synchronous=FULL) before it answers. The file
is plain SQLite: nothing in it is a secret of a person, the day keys are a secret of the home.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from kezd.home.errors import HomeSetupError

T = TypeVar("T")
BUSY_TIMEOUT_MS = 10_000


class SqliteFile:
    """The two connections to one database file."""

    def __init__(self, reader: sqlite3.Connection, writer: sqlite3.Connection) -> None:
        self._reader = reader
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="home-sqlite")

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, migrations: Sequence[str]) -> AsyncIterator["SqliteFile"]:
        """Open (and make or migrate) the file; migration n takes user_version from n to n+1.

        Raises:
            HomeSetupError: not ours, not writable, or made by a newer kezd.
        """
        with ExitStack() as stack:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                writer = stack.enter_context(closing(_connect(path)))
                _migrate(writer, migrations)
                reader = stack.enter_context(closing(_connect(path)))
            except (sqlite3.Error, OSError) as error:
                raise HomeSetupError(
                    f"cannot open the database {path}: {error}", hint="see --db and --dir"
                ) from error
            reader.execute("PRAGMA query_only=ON")
            self = cls(reader, writer)
            stack.callback(self._thread.shutdown, wait=True)
            yield self

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """First row of a select, now, on the caller's thread (the loop's)."""
        row: tuple[Any, ...] | None = self._reader.execute(sql, parameters).fetchone()
        return row

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a select, now, on the caller's thread (the loop's)."""
        return self._reader.execute(sql, parameters).fetchall()

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` in one transaction in the writer thread; committed when this returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, change)

    def _transaction(self, change: Callable[[sqlite3.Connection], T]) -> T:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            result = change(self._writer)
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
        return result


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        connection.execute("ROLLBACK")
        raise sqlite3.DatabaseError(f"schema version {version} is newer than this kezd-home")
    for number, script in enumerate(migrations[version:], start=version + 1):
        for statement in script.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={number}")
    connection.execute("COMMIT")
