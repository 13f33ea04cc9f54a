"""Named consumers of the event log: programs that were away and miss nothing."""

SQL = """
CREATE TABLE consumers (
    name         TEXT PRIMARY KEY,
    topics       TEXT NOT NULL,               -- JSON, an array of topics
    acked        INTEGER NOT NULL,            -- seq of the last event that it is done with
    created_at   REAL NOT NULL,
    last_seen_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
