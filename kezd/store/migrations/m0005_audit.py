"""Who asked for what: one row for a call, or for many alike of one connection."""

SQL = """
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         REAL NOT NULL,                 -- of the first call, unix s
    last_at    REAL NOT NULL,
    count      INTEGER NOT NULL DEFAULT 1,
    connection TEXT NOT NULL,
    method     TEXT NOT NULL,
    client     TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    executable TEXT NOT NULL,
    scope      TEXT NOT NULL,
    token      TEXT,                          -- name of the token, null without one
    outcome    TEXT NOT NULL                  -- ok, or the error's slug
) STRICT;
CREATE INDEX audit_alike ON audit (connection, method, outcome);
"""
