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

-- Results of mutating calls, remembered for 24 h. Rows stand in their order, and what is in the order of
-- the keys, which is none, is narrow: pages are read and written encrypted.
CREATE TABLE idempotency (
    id          INTEGER PRIMARY KEY,
    place       INTEGER NOT NULL,  -- 64 bits of the key's hash
    created_at  REAL NOT NULL,
    key         TEXT NOT NULL,
    method      TEXT NOT NULL,
    params_hash TEXT NOT NULL,
    result      TEXT NOT NULL
) STRICT;
CREATE INDEX idempotency_place ON idempotency (place);
"""
