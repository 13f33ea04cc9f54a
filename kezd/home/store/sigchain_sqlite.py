"""The sigchain server's SQLite file (KEZ_DB): events, one row each, and one head row per chain."""

import sqlite3

from kezd.home.store.ports import NewEvent, StoredHead
from kezd.home.store.sqlite import SqliteFile

SIGCHAIN_MIGRATIONS = (
    """
    CREATE TABLE chains (
        genesis BLOB NOT NULL PRIMARY KEY CHECK (length(genesis) = 32),
        seq INTEGER NOT NULL CHECK (seq > 0),
        hash TEXT NOT NULL,
        current BLOB NOT NULL CHECK (length(current) = 32)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX chains_by_current ON chains (current);
    CREATE TABLE events (
        genesis BLOB NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        line BLOB NOT NULL,
        PRIMARY KEY (genesis, seq)
    ) STRICT, WITHOUT ROWID;
    """,
)


PART_LINES = 512


class SqliteSigchainStore:
    """`SigchainStore` on SQLite: the head row is what is compared and set."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def append(self, genesis: bytes, event: NewEvent) -> StoredHead | None:
        """One transaction: compare the head, insert the event, set the head."""

        def change(connection: sqlite3.Connection) -> StoredHead | None:
            row = connection.execute("SELECT seq, hash FROM chains WHERE genesis = ?", (genesis,)).fetchone()
            if (row[0] if row else 0) != event.seq - 1:
                return StoredHead(*row) if row else StoredHead(0, "")
            connection.execute(
                "INSERT INTO events (genesis, seq, hash, line) VALUES (?, ?, ?, ?)",
                (genesis, event.seq, event.hash, event.line),
            )
            connection.execute(
                "INSERT INTO chains (genesis, seq, hash, current) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash, current = excluded.current",
                (genesis, event.seq, event.hash, event.current),
            )
            return None

        return await self._file.write(change)

    async def head(self, genesis: bytes) -> StoredHead | None:
        """One select on the primary key."""
        row = self._file.row("SELECT seq, hash FROM chains WHERE genesis = ?", (genesis,))
        return StoredHead(*row) if row else None

    async def event_hash(self, genesis: bytes, seq: int) -> str | None:
        """One select on the primary key."""
        row = self._file.row("SELECT hash FROM events WHERE genesis = ? AND seq = ?", (genesis, seq))
        return str(row[0]) if row else None

    async def read(self, genesis: bytes) -> tuple[StoredHead, bytes] | None:
        """One statement, so that head and lines are of one moment."""
        rows = self._file.rows(
            "SELECT seq, hash, line FROM events WHERE genesis = ? ORDER BY seq", (genesis,)
        )
        if not rows:
            return None
        return StoredHead(rows[-1][0], rows[-1][1]), b"".join(line + b"\n" for _, _, line in rows)

    async def read_part(self, genesis: bytes, after: int, up_to: int, max_bytes: int) -> tuple[bytes, int]:
        """Sizes first, so that no line is loaded which is not returned."""
        sizes = self._file.rows(
            "SELECT seq, length(line) + 1 FROM events WHERE genesis = ? AND seq > ? AND seq <= ? "
            "ORDER BY seq LIMIT ?",
            (genesis, after, up_to, PART_LINES),
        )
        last, total = sizes[0]
        for seq, size in sizes[1:]:
            total += size
            if total > max_bytes:
                break
            last = seq
        rows = self._file.rows(
            "SELECT line FROM events WHERE genesis = ? AND seq > ? AND seq <= ? ORDER BY seq",
            (genesis, after, last),
        )
        return b"".join(line + b"\n" for (line,) in rows), last

    async def current_of(self, genesis: bytes) -> bytes | None:
        """One select on the primary key."""
        row = self._file.row("SELECT current FROM chains WHERE genesis = ?", (genesis,))
        return bytes(row[0]) if row else None

    async def genesis_of(self, current: bytes) -> bytes | None:
        """One select on the index; a key that two chains were rotated to speaks for neither."""
        rows = self._file.rows(
            "SELECT genesis FROM chains WHERE current = ? AND genesis != current LIMIT 2", (current,)
        )
        return bytes(rows[0][0]) if len(rows) == 1 else None
