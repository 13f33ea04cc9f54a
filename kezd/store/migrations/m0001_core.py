"""The event log, idempotency keys and the database's own facts."""

SQL = """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The durable log behind events.subscribe: seq grows by one, without holes.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    topic      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

-- Results of mutating calls, remembered for 24 h.
CREATE TABLE idempotency (
    key         TEXT PRIMARY KEY,
    method      TEXT NOT NULL,
    params_hash TEXT NOT NULL,
    result      TEXT NOT NULL,
    created_at  REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);
"""
