"""Our own claims, what became of checking claims, strangers' chains, and whom we follow."""

SQL = """
CREATE TABLE claims (
    subject      TEXT PRIMARY KEY,            -- in normal form
    envelope     BLOB NOT NULL,               -- the signed claim
    step         TEXT NOT NULL CHECK (step IN ('signed', 'publishing', 'published', 'verified', 'added', 'revoked')),
    url          TEXT,                        -- where it is published
    handle       TEXT,                        -- what its publisher needs to take it away again
    created_at   REAL NOT NULL,
    changed_at   REAL NOT NULL
) STRICT;

-- The last judgement of each claim that was looked for, beside the last attempt that gave none.
CREATE TABLE checks (
    subject      TEXT NOT NULL,
    primary_key  TEXT NOT NULL,               -- the chain's first key; empty while no proof named one
    status       TEXT,                        -- NULL while it was never judged
    reason       TEXT NOT NULL DEFAULT '',
    place        TEXT NOT NULL DEFAULT '',
    proof        BLOB,                        -- the envelope that decided
    checked_at   REAL,
    last_good_at REAL,
    trouble      TEXT,                        -- why the newest attempt gave none
    tried_at     REAL NOT NULL,
    retry_at     REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, primary_key)
) STRICT;

-- The longest chain seen of somebody who is no contact.
CREATE TABLE seen_chains (
    genesis TEXT PRIMARY KEY,                 -- as a primary: its system matters
    jsonl   BLOB NOT NULL,
    handle  TEXT,
    url     TEXT,
    alarm   TEXT,
    seen_at REAL NOT NULL
) STRICT;

CREATE TABLE follows (
    genesis   TEXT PRIMARY KEY,
    handle    TEXT,
    snapshot  BLOB NOT NULL,                  -- JCS
    signature TEXT NOT NULL,
    signer    BLOB NOT NULL,
    since     REAL NOT NULL,
    broken    TEXT,
    due_at    REAL NOT NULL
) STRICT;

-- One row: whether the home server still has to be told what we want to be found by, and when our claims are due.
CREATE TABLE claims_state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    hint_due  INTEGER NOT NULL DEFAULT 0,
    hint_at   INTEGER NOT NULL DEFAULT 0,
    due_at    REAL NOT NULL DEFAULT 0
) STRICT;
INSERT INTO claims_state (id) VALUES (1);
"""
