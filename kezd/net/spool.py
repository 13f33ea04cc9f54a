"""A spool: a message transport between peers of one machine, a SQLite file they share.

The second implementation of the port, so that the port is not NATS in disguise: two peers of
one person's machine can talk without any broker. Same promises (durable, deduplicated,
delivered until acknowledged), another pipe. Not a server and not for a network file system;
who can write the file can write as anyone, the sealed envelopes inside prove their senders.

Invariants: an accepted message was committed; a message leaves the file by `ack` alone; each
open spool gives every message out once.
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import trio

from kezd.runtime.clock import Clock
from kezd.runtime.transport import (
    Accepted,
    Capabilities,
    Delivery,
    Destination,
    LinkState,
    LinkStatus,
    RefusalReason,
    Refused,
    SendResult,
    TransportUnavailableError,
)

KIB = 1024
RECEIVE_BATCH = 256
BUSY_TIMEOUT = 5.0
BUSY_PAUSE = 0.005
POLL_INTERVAL = 0.02
"""Seconds between looks at the file; SQLite tells no other process of a commit."""

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    inbox TEXT NOT NULL,
    device TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS message_inbox ON message (inbox, device, seq);
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
"""


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """A spool's place and limits.

    Attributes:
        path: the file, made when missing.
        inbox: own inbox, `kez.inbox.<64 hex>`.
        device: own device.
        max_message: bytes of one message.
        max_pending: messages waiting in one device's inbox.
        max_bytes: bytes waiting in the whole file.
        max_unacked: given out and not acknowledged, before `receive` waits.
        dedupe_window: seconds that a key is remembered.
    """

    path: Path
    inbox: str
    device: str = "0"
    max_message: int = 192 * KIB
    max_pending: int = 1000
    max_bytes: int = 1024 * KIB * KIB
    max_unacked: int = 1024
    dedupe_window: float = 120.0


class Spool:
    """See the module; `open` is the only way to one."""

    def __init__(self, config: SpoolConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._file_id: tuple[int, int] | None = None
        self._turn = trio.Lock()
        self._given_out: set[int] = set()
        self._room = trio.Event()
        self._state = LinkState.OFFLINE
        self._since = clock.now()
        self._changed = trio.Event()
        self._last_received_at: float | None = None
        self._last_error: str | None = None
        self._sending = 0
        self.capabilities = Capabilities(
            max_bytes=config.max_message, durable_ack=True, per_message_ack=True, rate=None
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, config: SpoolConfig, clock: Clock) -> AsyncIterator[Self]:
        """Use the spool for the length of the block."""
        self = cls(config, clock)
        try:
            yield self
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @property
    def url(self) -> str:
        """What a `Destination` for this spool says."""
        return self._config.path.resolve().as_uri()

    def status(self) -> LinkStatus:
        """Whether the file could be used the last time."""
        return LinkStatus(self._state, self._since, self._last_received_at, self._last_error, self._sending)

    async def wait_status_change(self, seen: LinkStatus) -> LinkStatus:
        """The status once its state is another than `seen`'s, or was left since.

        A spool has no connection of its own to tell of: while nothing is sent or received,
        it is the file that is looked at.
        """
        while (seen.state, seen.since) == (self._state, self._since):
            with trio.move_on_after(POLL_INTERVAL * 5):
                await self._changed.wait()
            try:
                await self._run(_touch)
            except TransportUnavailableError:
                continue
        return self.status()

    def takeover(self) -> None:
        """Nothing to take over: whoever opens the file may receive from it."""

    def retry(self) -> None:
        """Nothing is waited for: the file is tried each time."""

    async def send(self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool) -> SendResult:
        """Commit it to the recipient's inbox.

        Raises:
            TransportUnavailableError: the file cannot be written now.
        """
        if to.url != self.url:
            await trio.lowlevel.checkpoint()
            return Refused(RefusalReason.FOREIGN_HOME)
        if len(data) > self._config.max_message:
            await trio.lowlevel.checkpoint()
            return Refused(RefusalReason.TOO_LARGE)
        now = self._clock.now()
        self._sending += 1
        try:
            return await self._run(
                partial(_store, self._config, to, data, dedupe_key, now, first_attempt=first_attempt)
            )
        finally:
            self._sending -= 1

    async def receive(self) -> Sequence[Delivery]:
        """Wait for at least one delivery; at most 256, none while too many are unacknowledged."""
        while True:
            room = self._config.max_unacked - len(self._given_out)
            if room <= 0:
                self._room = trio.Event()
                await self._room.wait()
                continue
            after = tuple(self._given_out)
            try:
                rows = await self._run(partial(_waiting, self._config, after, min(room, RECEIVE_BATCH)))
            except TransportUnavailableError:
                rows = []
            if rows:
                return self._give_out(rows)
            await trio.sleep(POLL_INTERVAL)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Remove them from the file; a file that cannot be written keeps them for later."""
        seqs = [int(delivery.token) for delivery in deliveries]
        with trio.CancelScope(shield=True):  # bounded by BUSY_TIMEOUT
            try:
                await self._run(partial(_remove, seqs))
            except TransportUnavailableError as error:
                self._last_error = str(error)
        self._given_out.difference_update(seqs)
        self._room.set()

    def _give_out(self, rows: list[tuple[int, bytes]]) -> list[Delivery]:
        now = self._clock.now()
        self._last_received_at = now
        self._given_out.update(seq for seq, _ in rows)
        return [Delivery(data, now, str(seq)) for seq, data in rows]

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction in a worker thread, one at a time."""
        async with self._turn:
            try:
                with trio.CancelScope(shield=True):  # a commit is waited for, at most BUSY_TIMEOUT
                    result = await trio.to_thread.run_sync(self._transact, work)
            except sqlite3.Error as error:
                self._set_state(LinkState.OFFLINE, str(error))
                raise TransportUnavailableError(f"the spool cannot be used: {error}") from error
        self._set_state(LinkState.ONLINE)
        return result

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is not None and _file_id(self._config.path) != self._file_id:
            self._connection.close()  # the file was replaced: what is written to the old one is lost
            self._connection = None
        if self._connection is None:
            self._connection = _connect(self._config.path)
            self._file_id = _file_id(self._config.path)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            return work(self._connection)

    def _set_state(self, state: LinkState, error: str | None = None) -> None:
        self._last_error = error
        if state is not self._state:
            self._state, self._since = state, self._clock.now()
            changed, self._changed = self._changed, trio.Event()
            changed.set()


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False, isolation_level=None)
    try:
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Two peers may open a new file at once, and here SQLite does not wait by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(BUSY_PAUSE)
        else:
            return


def _touch(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM message LIMIT 1")


def _store(
    config: SpoolConfig,
    to: Destination,
    data: bytes,
    key: str,
    now: float,
    connection: sqlite3.Connection,
    *,
    first_attempt: bool,
) -> SendResult:
    connection.execute("DELETE FROM seen WHERE at < ?", (now - config.dedupe_window,))
    if connection.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone():
        return Refused(RefusalReason.DUPLICATE_ID) if first_attempt else Accepted(duplicate=True)
    with closing(connection.cursor()) as cursor:
        [pending] = cursor.execute(
            "SELECT count(*) FROM message WHERE inbox = ? AND device = ?", (to.inbox, to.device)
        ).fetchone()
        if pending >= config.max_pending:
            return Refused(RefusalReason.INBOX_FULL)
        [stored] = cursor.execute("SELECT coalesce(sum(length(data)), 0) FROM message").fetchone()
        if stored + len(data) > config.max_bytes:
            return Refused(RefusalReason.HOME_FULL)
        cursor.execute(
            "INSERT INTO message (inbox, device, data) VALUES (?, ?, ?)", (to.inbox, to.device, data)
        )
        cursor.execute("INSERT INTO seen (key, at) VALUES (?, ?)", (key, now))
    return Accepted()


def _waiting(
    config: SpoolConfig, given_out: Sequence[int], limit: int, connection: sqlite3.Connection
) -> list[tuple[int, bytes]]:
    rows = connection.execute(
        "SELECT seq, data FROM message WHERE inbox = ? AND device = ? ORDER BY seq LIMIT ?",
        (config.inbox, config.device, limit + len(given_out)),
    )
    skipped = set(given_out)
    return [(seq, data) for seq, data in rows if seq not in skipped][:limit]


def _remove(seqs: Sequence[int], connection: sqlite3.Connection) -> None:
    connection.executemany("DELETE FROM message WHERE seq = ?", [(seq,) for seq in seqs])
