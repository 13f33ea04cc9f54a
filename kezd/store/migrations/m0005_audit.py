"""Who asked for what: one row for a call, or for many alike of one connection."""

SQL = """
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY,
    at           REAL NOT NULL,               -- of the first call, unix s
    last_at      REAL NOT NULL,
    count        INTEGER NOT NULL DEFAULT 1,
    hour         INTEGER,                     -- of the clock; null when the row is one call's
    connection   TEXT NOT NULL,
    method       TEXT NOT NULL,
    client       TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    executable   TEXT NOT NULL,
    scope        TEXT NOT NULL,
    token        TEXT,                        -- name of the token, null without one
    confirmed_by TEXT,                        -- the front-end that a person said yes through
    outcome      TEXT NOT NULL                -- ok, begun, or the error's slug
) STRICT;
CREATE UNIQUE INDEX audit_alike ON audit (connection, method, outcome, hour) WHERE hour IS NOT NULL;
"""
