"""Named consumers of the event log: programs that were away and miss nothing."""

SQL = """
CREATE TABLE consumers (
    name         TEXT PRIMARY KEY,
    topics       TEXT NOT NULL,               -- JSON, an array of topics
    acked        INTEGER NOT NULL,            -- seq of the last event that it is done with
    created_at   REAL NOT NULL,
    last_seen_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: how large the log is, counted afterwards and not while events are written.
CREATE TABLE events_measured (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    up_to INTEGER NOT NULL,                   -- seq of the last event that is counted
    bytes INTEGER NOT NULL                    -- of the bodies from the oldest event to that one
) STRICT;
INSERT INTO events_measured (id, up_to, bytes) VALUES (1, 0, 0);
"""
