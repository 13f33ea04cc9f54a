"""Numbered migrations of the peer's database, in order. Never edited after a release.

Each is one SQL script that runs in its own transaction; `PRAGMA user_version` is the
number of the last one applied.
"""

from kezd.store.migrations import m0001_core, m0002_identity, m0003_chat

MIGRATIONS: tuple[str, ...] = (m0001_core.SQL, m0002_identity.SQL, m0003_chat.SQL)
