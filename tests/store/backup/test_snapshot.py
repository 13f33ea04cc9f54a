"""A copy is one moment of a database that is written to meanwhile, and then another installation's."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from kezd.errors import Slug, StoreError
from kezd.store.backup.snapshot import become_new_installation, copy_database, examine_database
from kezd.store.database import Transaction, connect, migrate
from kezd.store.identity import IdentityState, load_identity
from kezd.store.migrations import MIGRATIONS

KEY = bytes(range(32))
STREAM = b"s" * 16
GENESIS = bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")


def ignore(_done: int, _total: int) -> None:
    return


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "peer.db"
    with closing(connect(path, KEY)) as db:
        migrate(db)
        db.execute("INSERT INTO meta (key, value) VALUES ('epoch', 'e1')")
        db.execute(
            "INSERT INTO conversations (genesis, out_stream, out_n) VALUES (?, ?, 7)", (b"g" * 32, STREAM)
        )
    return path


def add_messages(path: Path, count: int, start: int = 0) -> None:
    with closing(connect(path, KEY)) as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO messages (conversation, outgoing, id, kind, text, sent_at, arrived_at, state, position)"
            " VALUES (1, 1, ?, 'text', ?, 0, 0, 0, ?)",
            ((i.to_bytes(16, "big"), "t" * 200, i) for i in range(start, start + count)),
        )
        db.execute("COMMIT")


def test_a_copy_is_one_moment_while_a_writer_goes_on(path: Path, tmp_path: Path) -> None:
    add_messages(path, 100_000)
    stop, slowest, written = threading.Event(), 0.0, 0

    def write() -> None:
        nonlocal slowest, written
        with closing(connect(path, KEY)) as db:
            while not stop.is_set():
                began = time.perf_counter()
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT INTO events (topic, body, created_at) VALUES ('t', '{}', 0)")
                db.execute("UPDATE meta SET value = 'e2' WHERE key = 'epoch'")
                db.execute("COMMIT")
                slowest, written = max(slowest, time.perf_counter() - began), written + 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        began = time.perf_counter()
        contents = copy_database(path, KEY, tmp_path / "copy.db", ignore)
        took = time.perf_counter() - began
    finally:
        stop.set()
        writer.join()
    print(f"copied {(tmp_path / 'copy.db').stat().st_size >> 20} MiB in {took:.2f} s;"
          f" {written} commits meanwhile, the slowest took {slowest * 1000:.0f} ms")  # fmt: skip
    assert contents.messages == 100_000
    assert examine_database(tmp_path / "copy.db", KEY) == contents
    # A writer that waited for the copy would have made one commit, which took as long.
    assert written > 10
    assert slowest < max(took / 2, 1.0), "no writer waits for the copy"


def test_a_damaged_or_newer_copy_is_refused(path: Path, tmp_path: Path) -> None:
    add_messages(path, 2000)
    copy = tmp_path / "copy.db"
    copy_database(path, KEY, copy, ignore)
    examine_database(copy, KEY)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.db").write_bytes(data)
    with pytest.raises(StoreError) as damaged:
        examine_database(tmp_path / "damaged.db", KEY)
    assert damaged.value.slug is Slug.BACKUP_DAMAGED
    with closing(connect(copy, KEY)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError) as newer:
        examine_database(copy, KEY)
    assert newer.value.slug is Slug.SCHEMA_TOO_NEW


def test_a_restored_copy_is_another_installation(path: Path, tmp_path: Path) -> None:
    with closing(connect(path, KEY)) as db:
        db.execute(
            "INSERT INTO identity (id, genesis, state, asked, installation_id, takeover, name, server, registered_at,"
            " created_at) VALUES (1, ?, 'active', '[]', ?, 1, 'alice', 'kez.test', 1, 1.0)",
            (GENESIS, "0" * 32),
        )
    copy = tmp_path / "copy.db"
    assert copy_database(path, KEY, copy, ignore).handle == "alice@kez.test"
    become_new_installation(copy, KEY, 1234.0)
    with closing(connect(copy, KEY)) as db:
        tx = Transaction(db, 0.0)
        found = load_identity(tx)
        assert found is not None
        assert found.installation_id != "0" * 32
        assert (found.state, found.takeover, found.restored_at) == (IdentityState.SUPERSEDED, False, 1234.0)
        assert tx.one("SELECT value FROM meta WHERE key = 'epoch'") != ("e1",)
        stream, n = tx.one("SELECT out_stream, out_n FROM conversations") or (None, None)
        assert (stream != STREAM, n) == (True, 0)


def test_an_old_copy_is_migrated(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(connect(old, KEY)) as db:
        migrate(db, MIGRATIONS[:3])
        db.execute(
            "INSERT INTO identity (id, genesis, state, asked, installation_id, takeover, name, server, registered_at,"
            " created_at) VALUES (1, ?, 'active', '[]', ?, 1, 'alice', 'kez.test', 1, 1.0)",
            (GENESIS, "0" * 32),
        )
    found = examine_database(old, KEY)
    assert (found.schema, found.handle, found.state) == (3, "alice@kez.test", "active")
    become_new_installation(old, KEY, 1.0)
    assert examine_database(old, KEY).schema == len(MIGRATIONS)
