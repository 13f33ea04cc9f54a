"""The peer's database: SQLCipher, one writer thread with group commit, one reader thread.

What waits to be written is gathered into one transaction with one sync, so FULL
durability costs little under load. A caller's `write` returns after the commit, and
the events it emitted are published after the commit, in commit order: commit, then
send, then announce. The Trio thread never touches the disk, so a sync that hangs
stalls writers and nobody else. SQL lives in `kezd/store/` only; services compose the
functions of the object stores inside one `write`.
"""

import queue
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import outcome
import trio
from sqlcipher3 import dbapi2 as sqlite

from kezd.errors import KezdError, Slug, StoreError
from kezd.runtime.bus import Bus, Event
from kezd.runtime.clock import Clock
from kezd.store.migrations import MIGRATIONS

T = TypeVar("T")
Row = tuple[Any, ...]

BATCH_LIMIT = 512
"""Writes gathered into one transaction at most."""
BUSY_TIMEOUT_MS = 5_000


class Transaction:
    """One open transaction, seen by the object stores. Never leaves the thread it runs in."""

    def __init__(self, connection: Any, now: float) -> None:
        self._connection = connection
        self.now = now
        """Unix seconds when the transaction began."""
        self.events: list[Event] = []

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """Run one statement and return its cursor."""
        return self._connection.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        self._connection.executemany(sql, rows)

    def one(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """The first row, or None."""
        return cast("Row | None", self._connection.execute(sql, parameters).fetchone())

    def all(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """Every row."""
        return cast("list[Row]", self._connection.execute(sql, parameters).fetchall())

    def emit(self, topic: str, body: dict[str, Any]) -> int:
        """Append an event to the durable log, to be published after the commit.

        Returns:
            The event's seq.
        """
        encoded = msgspec.json.encode(body)
        seq = self._connection.execute(
            # the highest seq is never deleted, so SQLite's next rowid is the next seq
            "INSERT INTO events (topic, body, created_at) VALUES (?, ?, ?)",
            (topic, encoded.decode(), self.now),
        ).lastrowid
        self.events.append(Event(seq, topic, body, "", encoded))
        return cast("int", seq)


class _Job:
    __slots__ = ("function", "task", "then")

    def __init__(
        self,
        function: Callable[[Transaction], Any],
        then: Callable[[Any], None] | None,
        task: trio.lowlevel.Task,
    ) -> None:
        self.function = function
        self.then = then
        self.task = task


_Finished = list[tuple[_Job, outcome.Outcome[Any]]]


def translate(error: Exception) -> Exception:
    """The `StoreError` for a SQLite error; anything else (a bug, a KezdError) as it is."""
    if isinstance(error, KezdError) or not isinstance(error, sqlite.Error):
        return error
    text = str(error)
    if "full" in text:
        return StoreError(Slug.DISK_FULL, f"the database could not grow: {text}")
    return StoreError(Slug.STORE_FAILED, f"the database failed: {text}")


def connect(path: Path, key: bytes) -> Any:
    """Open a SQLCipher database with a raw 32-byte key (no key derivation).

    Raises:
        StoreError: the file cannot be opened or the key does not fit.
    """
    try:
        connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        # Part of the file's format. Processors have instructions for SHA-256 that its default, SHA-512, lacks.
        connection.execute("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite.Error as error:
        raise StoreError(
            Slug.STORE_FAILED,
            f"cannot open the database {path}: {error}",
            hint="is this the vault of that database?",
        ) from error
    return connection


def migrate(connection: Any, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring the schema up to date, one transaction a migration.

    Raises:
        StoreError: `schema_too_new` when a newer kezd has written here.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise StoreError(
            Slug.SCHEMA_TOO_NEW, f"the database has schema {version}, this kezd knows {len(migrations)}"
        )
    for number, script in enumerate(migrations[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


class _Worker:
    """A thread that owns one connection and runs jobs on it in batches."""

    def __init__(self, name: str, connection: Any, clock: Clock, bus: Bus, *, writes: bool) -> None:
        self._connection = connection
        self._clock = clock
        self._bus = bus
        self._writes = writes
        self._token = trio.lowlevel.current_trio_token()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self.waiting = 0
        """Jobs handed in and not yet answered."""
        self.busy_since: float | None = None
        """Monotonic seconds at which the batch under way began."""
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[Transaction], T], then: Callable[[T], None] | None = None) -> T:
        job = _Job(function, then, trio.lowlevel.current_task())
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:  # nobody would ever answer: a profile can be removed under a call
            raise StoreError(Slug.STORE_FAILED, "the database is closed")
        self.waiting += 1
        self._queue.put(job)
        # A commit under way cannot be called back: the caller learns its result even when cancelled.
        return cast("T", await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED))

    async def aclose(self) -> None:
        self._closed = True
        self._queue.put(None)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def _main(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs, last = [first], False
            while len(jobs) < BATCH_LIMIT:
                try:
                    job = self._queue.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    last = True
                    break
                jobs.append(job)
            self.busy_since = self._clock.monotonic()
            finished, events = self._batch(jobs) if self._writes else self._read(jobs)
            self.busy_since = None
            try:
                self._token.run_sync_soon(self._deliver, finished, events)
            except trio.RunFinishedError:
                return
            if last:
                return

    def _deliver(self, finished: _Finished, events: list[Event]) -> None:
        self._bus.publish(events)
        for job, result in finished:
            self.waiting -= 1
            if job.then is not None and isinstance(result, outcome.Value):
                job.then(result.value)
            trio.lowlevel.reschedule(job.task, result)

    def _read(self, jobs: list[_Job]) -> tuple[_Finished, list[Event]]:
        """Each job in a transaction of its own: all that it reads is one committed state."""
        return [(job, self._attempt(job)) for job in jobs], []

    def _attempt(self, job: _Job) -> outcome.Outcome[Any]:
        try:
            self._connection.execute("BEGIN")
            try:
                return outcome.Value(job.function(Transaction(self._connection, self._clock.now())))
            finally:
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - carried to the task that asked
            return outcome.Error(translate(error))

    def _batch(self, jobs: list[_Job]) -> tuple[_Finished, list[Event]]:
        """All jobs in one transaction; if any fails after it changed something, each in its own."""
        try:
            return self._transaction(jobs)
        except Exception as error:  # noqa: BLE001 - carried to the tasks that asked
            if len(jobs) == 1:
                return [(jobs[0], outcome.Error(translate(error)))], []
        finished: _Finished = []
        events: list[Event] = []
        for job in jobs:
            try:
                done, emitted = self._transaction([job])
            except Exception as error:  # noqa: BLE001 - carried to the task that asked
                done, emitted = [(job, outcome.Error(translate(error)))], []
            finished += done
            events += emitted
        return finished, events

    def _run(self, job: _Job, transaction: Transaction) -> outcome.Outcome[Any]:
        """Run one job; a refusal that changed nothing is its result and nobody else's trouble."""
        changes = self._connection.total_changes
        try:
            return outcome.Value(job.function(transaction))
        except KezdError as error:
            if self._connection.total_changes != changes:
                raise
            return outcome.Error(error)

    def _transaction(self, jobs: list[_Job]) -> tuple[_Finished, list[Event]]:
        transaction = Transaction(self._connection, self._clock.now())
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            finished = [(job, self._run(job, transaction)) for job in jobs]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return finished, transaction.events


class Database:
    """The open database of one profile."""

    def __init__(self, writer: _Worker, reader: _Worker, epoch: str, bus: Bus) -> None:
        self._writer = writer
        self._reader = reader
        self.epoch = epoch
        """Names this event log; another value means that seqs started anew."""
        self.bus = bus

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, key: bytes, clock: Clock, bus: Bus) -> AsyncIterator["Database"]:
        """Open and migrate the database at `path` with its 32-byte key.

        Raises:
            StoreError: it cannot be opened, the key does not fit, or it is of a newer kezd.
        """
        connection, epoch = await trio.to_thread.run_sync(_prepare, path, key)
        reading = await trio.to_thread.run_sync(connect, path, key)
        reading.execute("PRAGMA query_only = ON")
        writer = _Worker("kezd-writer", connection, clock, bus, writes=True)
        reader = _Worker("kezd-reader", reading, clock, bus, writes=False)
        try:
            yield cls(writer, reader, epoch, bus)
        finally:
            await reader.aclose()
            await writer.aclose()
            bus.close()  # after the last commit was published
            reading.close()
            connection.close()

    @property
    def waiting_writes(self) -> int:
        """Writes handed in and not yet committed, for `daemon.health`."""
        return self._writer.waiting

    @property
    def writing_since(self) -> float | None:
        """When the commit under way began, in the clock's monotonic seconds: a sync that hangs shows here."""
        return self._writer.busy_since

    async def write(self, function: Callable[[Transaction], T], then: Callable[[T], None] | None = None) -> T:
        """Run `function` in a write transaction and return its result once committed.

        `then` is called with the result right after the commit, in Trio's thread and in the
        order of the writes, which the order in which their callers go on is not. It must not
        raise or wait.

        `function` runs in another thread, may share its transaction with others, and may be
        run a second time when one of those fails: it must touch nothing but its transaction.
        Raising inside it rolls its changes back and raises here. Not cancelled once begun.

        Raises:
            StoreError: `disk_full` or `store_failed`.
        """
        return await self._writer.run(function, then)

    async def read(self, function: Callable[[Transaction], T]) -> T:
        """Run `function` against the last committed state, the same for all it reads; return its result."""
        return await self._reader.run(function)


def _prepare(path: Path, key: bytes) -> tuple[Any, str]:
    connection = connect(path, key)
    try:
        migrate(connection)
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('epoch', ?) ON CONFLICT DO NOTHING",
            (secrets.token_hex(8),),
        )
        epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    except sqlite.Error as error:
        connection.close()
        raise translate(error) from error
    except BaseException:
        connection.close()
        raise
    return connection, epoch
