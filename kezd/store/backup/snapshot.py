"""A database copied while it is written to, looked through, and made into one of a new installation.

Blocking: for a thread. A copy is one snapshot: the reading transaction is held from its
first page to its last, which in WAL mode keeps no writer waiting; only the write-ahead log
cannot be emptied meanwhile. Copies have the key of their original, so nothing readable
ever lies beside it.
"""

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from sqlcipher3 import dbapi2 as sqlite

from kezd.errors import Slug, StoreError
from kezd.kez.keys import PublicKey
from kezd.store.database import Transaction, connect, migrate, translate
from kezd.store.identity import IdentityState, load_identity, save_identity
from kezd.store.migrations import MIGRATIONS

PAGES = 256
"""Copied between two looks at whether somebody wants it to stop."""
RESTORED = "restored from a backup: another installation may be the live one"

Progress = Callable[[int, int], None]
"""Done and total; may raise to end the work."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a database holds. Times are unix seconds."""

    schema: int
    primary: str | None
    handle: str | None
    state: str
    messages: int
    conversations: int
    contacts: int
    events: int
    newest_message_at: float | None


def copy_database(path: Path, key: bytes, target: Path, progress: Progress) -> Contents:
    """Copy the committed state of now to `target`, which is new, and say what is in it.

    Raises:
        StoreError: `disk_full`, `store_failed`.
    """
    with closing(connect(path, key)) as source, closing(connect(target, key)) as copy:
        try:
            copy.execute("PRAGMA journal_mode = OFF")
            source.execute("BEGIN")
            contents = _contents(Transaction(source, 0.0))
            source.backup(copy, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
            source.execute("COMMIT")
        except sqlite.Error as error:
            raise translate(error) from error
    return contents


def examine_database(path: Path, key: bytes) -> Contents:
    """Look through every page of a copy.

    Raises:
        StoreError: `backup_damaged`, or `schema_too_new`.
    """
    try:
        with closing(connect(path, key)) as connection:
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            if schema > len(MIGRATIONS):
                raise StoreError(
                    Slug.SCHEMA_TOO_NEW, f"the backup has schema {schema}, this kezd knows {len(MIGRATIONS)}"
                )
            _look_through(connection)
            return _contents(Transaction(connection, 0.0))
    except sqlite.Error as error:
        raise StoreError(Slug.BACKUP_DAMAGED, f"the database in it is damaged: {error}") from error


def _look_through(connection: Any) -> None:
    """Pages as they were sealed, then what they say together."""
    for check, fine in (
        ("cipher_integrity_check", None),
        ("integrity_check", "ok"),
        ("foreign_key_check", None),
    ):
        found = connection.execute(f"PRAGMA {check}").fetchone()
        if found is not None and found[0] != fine:
            raise StoreError(Slug.BACKUP_DAMAGED, f"the database in it is damaged: {found[0]}")


def become_new_installation(path: Path, key: bytes, now: float) -> None:
    """Migrate a copy and let it be nobody's twin.

    An installation id of its own, so that the home tells the two apart; not live until somebody
    takes over; outgoing streams anew, because the original went on counting in the old ones; and
    a new epoch of the event log, whose seqs mean other events there. What is queued stays:
    the same bytes sent twice are one message to who gets them.

    Raises:
        StoreError: the database could not be written.
    """
    with closing(connect(path, key)) as connection:
        try:
            migrate(connection)
            connection.execute("BEGIN IMMEDIATE")
            tx = Transaction(connection, now)
            tx.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (secrets.token_hex(8),))
            tx.execute("UPDATE conversations SET out_stream = randomblob(16), out_n = 0")
            identity = load_identity(tx)
            if identity is not None:
                live = identity.state in (IdentityState.ACTIVE, IdentityState.SUPERSEDED)
                save_identity(
                    tx,
                    replace(
                        identity,
                        installation_id=secrets.token_hex(16),
                        takeover=False,
                        restored_at=now,
                        state=IdentityState.SUPERSEDED if live else identity.state,
                        superseded_reason=RESTORED if live else None,
                    ),
                )
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite.Error as error:
            raise translate(error) from error


def _contents(tx: Transaction) -> Contents:
    """Asks for nothing that schema 3 had not: backups of every schema since are looked through before they migrate."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM conversations),"
        " (SELECT count(*) FROM contacts), (SELECT count(*) FROM events), (SELECT max(arrived_at) FROM messages)"
    )
    version = tx.one("PRAGMA user_version")
    assert row is not None
    assert version is not None
    identity = tx.one("SELECT genesis, state, name, server, registered_at FROM identity")
    genesis, state, name, server, registered_at = identity or (None, "none", None, None, None)
    return Contents(
        schema=version[0],
        primary=None if genesis is None else PublicKey(genesis).primary,
        handle=None if registered_at is None else f"{name}@{server}",
        state=state,
        messages=row[0],
        conversations=row[1],
        contacts=row[2],
        events=row[3],
        newest_message_at=None if row[4] is None else row[4] / 1000,
    )
