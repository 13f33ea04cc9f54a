"""Programs for the test of killed migrations: make a database old, die while it is migrated, check it.

    python -m kezd.testing.crash_migration age     KEZD_HOME PASSPHRASE VERSION
    python -m kezd.testing.crash_migration migrate KEZD_HOME PASSPHRASE STEPS
    python -m kezd.testing.crash_migration check   KEZD_HOME PASSPHRASE

`migrate` runs the production migrations and kills itself (SIGKILL) at the STEPS-th step of
SQLite's virtual machine; it exits with 0 when they need fewer. `check` exits with 0 when the
schema is exactly that of one version and the file is sound.
"""

import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import trio

from kezd.runtime.paths import Paths
from kezd.runtime.settings import VaultSource
from kezd.store.database import connect, migrate
from kezd.store.migrations import MIGRATIONS
from kezd.store.vault import Vault

PROFILE = "default"


class DamagedError(Exception):
    """The database is not what it should be."""


def main(arguments: list[str]) -> None:
    """Run the program named by the first argument."""
    what, home, passphrase = arguments[:3]
    profile = Paths.from_environment({"KEZD_HOME": home}).profile(PROFILE)
    vault = Vault(profile.directory, VaultSource.PASSPHRASE, PROFILE, {})
    key = trio.run(vault.unlock, passphrase).db_key
    match what, arguments[3:]:
        case "age", [version]:
            age(profile.database, key, int(version))
        case "migrate", [steps]:
            migrate_until(profile.database, key, int(steps))
        case "check", []:
            check(profile.database, key)
        case _:
            raise SystemExit(2)


def age(path: Path, key: bytes, version: int) -> None:
    """Replace the database by what a kezd of that schema version would have left: tables and rows."""
    old = path.with_suffix(".old")
    with closing(connect(path, key)) as source, closing(connect(old, key)) as target:
        migrate(source)
        migrate(target, MIGRATIONS[:version])
        target.execute("PRAGMA foreign_keys = OFF")
        target.execute("BEGIN")
        for (table,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            names = [row[1] for row in target.execute(f"PRAGMA table_info({table})").fetchall()]
            marks, columns = ", ".join("?" * len(names)), ", ".join(names)
            target.execute(f"DELETE FROM {table}")
            rows = source.execute(f"SELECT {columns} FROM {table}").fetchall()
            target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        target.execute("COMMIT")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    old.replace(path)


def migrate_until(path: Path, key: bytes, steps: int) -> None:
    """Migrate, and die at that step."""
    left = steps

    def step() -> int:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    with closing(connect(path, key)) as connection:
        connection.set_progress_handler(step, 1)
        migrate(connection)


def check(path: Path, key: bytes) -> None:
    """Compare with a fresh database of the same version.

    Raises:
        DamagedError: they differ, or the file is not sound.
    """
    with closing(connect(path, key)) as connection, closing(connect(Path(":memory:"), key)) as fresh:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        migrate(fresh, MIGRATIONS[:version])
        if _schema(connection) != _schema(fresh):
            raise DamagedError(f"the schema is not that of version {version}")
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok" or connection.execute("PRAGMA foreign_key_check").fetchall():
            raise DamagedError(f"integrity: {sound}")


def _schema(connection: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
