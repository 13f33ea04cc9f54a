"""Numbered migrations of the peer's database, in order. Never edited after a release.

Each is one SQL script that runs in its own transaction; `PRAGMA user_version` is the
number of the last one applied.
"""

from kezd.store.migrations import (
    m0001_core,
    m0002_identity,
    m0003_chat,
    m0004_consumers,
    m0005_audit,
    m0006_verified,
    m0007_claims,
    m0008_chain,
)

MIGRATIONS: tuple[str, ...] = (
    m0001_core.SQL,
    m0002_identity.SQL,
    m0003_chat.SQL,
    m0004_consumers.SQL,
    m0005_audit.SQL,
    m0006_verified.SQL,
    m0007_claims.SQL,
    m0008_chain.SQL,
)
