"""The registry's SQLite file: handles, sessions and day keys (`--db`)."""

import sqlite3

import msgspec

from kezd.home.store.ports import Record, Registered, StoredProfile, StoredSession
from kezd.home.store.sqlite import SqliteFile

REGISTRY_MIGRATIONS = (
    """
    CREATE TABLE handles (
        handle TEXT NOT NULL PRIMARY KEY,
        primary_key BLOB NOT NULL UNIQUE CHECK (length(primary_key) = 32),
        envelope BLOB NOT NULL,
        registered_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE sessions (
        identity BLOB NOT NULL PRIMARY KEY CHECK (length(identity) = 32),
        generation INTEGER NOT NULL CHECK (generation > 0),
        installation_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tag_keys (
        day INTEGER NOT NULL PRIMARY KEY,
        key BLOB NOT NULL CHECK (length(key) = 32)
    ) STRICT;
    """,
    """
    CREATE TABLE profiles (
        handle TEXT NOT NULL PRIMARY KEY REFERENCES handles (handle),
        envelope BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        proofs BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE proofs (
        subject TEXT NOT NULL,
        handle TEXT NOT NULL,
        PRIMARY KEY (subject, handle)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX proofs_of ON proofs (handle);
    """,
)
_SELECT = (
    "SELECT h.handle, h.primary_key, h.envelope, h.registered_at, coalesce(p.proofs, X'5B5D')"
    " FROM handles h LEFT JOIN profiles p ON p.handle = h.handle"
)
_BY_HANDLE = f"{_SELECT} WHERE h.handle = ?"
_BY_PRIMARY = f"{_SELECT} WHERE h.primary_key = ?"


class SqliteRegistryStore:
    """`RegistryStore` on SQLite: two unique columns, insert only."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def register(self, record: Record) -> Registered:
        """Insert, or tell which key is taken."""

        def change(connection: sqlite3.Connection) -> Registered:
            if connection.execute("SELECT 1 FROM handles WHERE handle = ?", (record.handle,)).fetchone():
                return Registered.HANDLE_TAKEN
            if connection.execute(
                "SELECT 1 FROM handles WHERE primary_key = ?", (record.primary,)
            ).fetchone():
                return Registered.PRIMARY_TAKEN
            connection.execute(
                "INSERT INTO handles (handle, primary_key, envelope, registered_at) VALUES (?, ?, ?, ?)",
                (record.handle, record.primary, record.envelope, record.registered_at),
            )
            return Registered.CREATED

        return await self._file.write(change)

    async def by_handle(self, handle: str) -> Record | None:
        """One select on the primary key."""
        row = self._file.row(_BY_HANDLE, (handle,))
        return Record(*row) if row else None

    async def by_primary(self, primary: bytes) -> Record | None:
        """One select on the unique key."""
        row = self._file.row(_BY_PRIMARY, (primary,))
        return Record(*row) if row else None

    async def count(self) -> int:
        """Rows are never deleted, so the last rowid is the count."""
        row = self._file.row("SELECT max(rowid) FROM handles")
        return int(row[0] or 0) if row else 0


class SqliteProfileStore:
    """`ProfileStore` on SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def put(self, handle: str, profile: StoredProfile) -> bool:
        """One transaction: compare the date, replace the row and its subjects."""
        proofs = msgspec.json.encode(profile.subjects)

        def change(connection: sqlite3.Connection) -> bool:
            known = connection.execute(
                "SELECT created_at, envelope FROM profiles WHERE handle = ?", (handle,)
            ).fetchone()
            if known is not None and profile.created_at <= known[0]:
                return bool(known[1] == profile.envelope)
            connection.execute(
                "INSERT INTO profiles (handle, envelope, created_at, proofs) VALUES (?, ?, ?, ?) ON CONFLICT DO"
                " UPDATE SET envelope = excluded.envelope, created_at = excluded.created_at, proofs = excluded.proofs",
                (handle, profile.envelope, profile.created_at, proofs),
            )
            connection.execute("DELETE FROM proofs WHERE handle = ?", (handle,))
            connection.executemany(
                "INSERT INTO proofs (subject, handle) VALUES (?, ?)",
                [(subject, handle) for subject in profile.subjects],
            )
            return True

        return await self._file.write(change)

    async def get(self, handle: str) -> StoredProfile | None:
        """One select on the primary key."""
        row = self._file.row("SELECT envelope, created_at, proofs FROM profiles WHERE handle = ?", (handle,))
        if row is None:
            return None
        return StoredProfile(row[0], row[1], msgspec.json.decode(row[2], type=tuple[str, ...]))

    async def by_subject(self, subject: str, limit: int) -> list[str]:
        """One select on the primary key."""
        rows = self._file.rows(
            "SELECT handle FROM proofs WHERE subject = ? ORDER BY handle LIMIT ?", (subject, limit)
        )
        return [str(row[0]) for row in rows]


class SqliteSessionStore:
    """`SessionStore` on SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def current(self, identity: bytes) -> StoredSession | None:
        """One select on the primary key."""
        row = self._file.row(
            "SELECT generation, installation_id FROM sessions WHERE identity = ?", (identity,)
        )
        return StoredSession(*row) if row else None

    async def advance(self, identity: bytes, session: StoredSession) -> bool:
        """Insert generation 1, or update from the generation before."""

        def change(connection: sqlite3.Connection) -> bool:
            if session.generation == 1:
                cursor = connection.execute(
                    "INSERT INTO sessions (identity, generation, installation_id) VALUES (?, 1, ?) "
                    "ON CONFLICT DO NOTHING",
                    (identity, session.installation_id),
                )
            else:
                cursor = connection.execute(
                    "UPDATE sessions SET generation = ?, installation_id = ? "
                    "WHERE identity = ? AND generation = ?",
                    (session.generation, session.installation_id, identity, session.generation - 1),
                )
            return cursor.rowcount == 1

        return await self._file.write(change)


class SqliteTagKeyStore:
    """`TagKeyStore` on SQLite."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def keep(self, day: int, key: bytes) -> bytes:
        """Insert unless there is one, then read."""

        def change(connection: sqlite3.Connection) -> bytes:
            connection.execute(
                "INSERT INTO tag_keys (day, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (day, key)
            )
            row: tuple[bytes] = connection.execute(
                "SELECT key FROM tag_keys WHERE day = ?", (day,)
            ).fetchone()
            return row[0]

        return await self._file.write(change)

    async def days(self) -> dict[int, bytes]:
        """At most some fifteen rows."""
        return {int(day): bytes(key) for day, key in self._file.rows("SELECT day, key FROM tag_keys")}

    async def forget_before(self, day: int) -> None:
        """Delete, with the freed pages overwritten (the point of a day key is that it goes away)."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("DELETE FROM tag_keys WHERE day < ?", (day,))

        await self._file.write(change)
