"""The identity, sigchains (our own and those of contacts), and contacts."""

SQL = """
-- The identity of this profile; its secrets are in the vault, not here.
CREATE TABLE identity (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    genesis           BLOB NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('unconfirmed', 'unregistered', 'active', 'superseded')),
    asked             TEXT NOT NULL,          -- JSON, 1-based positions of the words to be recalled
    installation_id   TEXT NOT NULL,
    takeover          INTEGER NOT NULL DEFAULT 0,
    restored_at       REAL,
    name              TEXT,                   -- of the handle, once it is stored to be registered
    server            TEXT,
    home_url          TEXT,
    registration      BLOB,                   -- signed, stored before it is sent
    registered_at     INTEGER,
    sigchain_url      TEXT,
    superseded_reason TEXT,
    created_at        REAL NOT NULL
) STRICT;

-- Events of verified chains. A pending one is ours, signed, and may have left the machine.
CREATE TABLE sigchain_events (
    genesis BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    encoded BLOB NOT NULL,                    -- JCS of the envelope
    pending INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (genesis, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    genesis      BLOB PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('request', 'accepted', 'blocked')),
    handle       TEXT UNIQUE,                 -- qualified; null for a stranger, or when another key has it now
    added_at     REAL NOT NULL,
    checked_at   REAL,
    due_at       REAL NOT NULL,               -- when it is looked at again
    failures     INTEGER NOT NULL DEFAULT 0,  -- lookups in a row that failed
    registration BLOB,
    -- Facts of the verified chain, so that nobody verifies it for a message.
    current      BLOB NOT NULL,
    chain_seq    INTEGER NOT NULL DEFAULT 0,
    chain_head   TEXT,
    sigchain_url TEXT,
    etag         TEXT,
    nats_url     TEXT,
    inbox        TEXT,
    accepts      TEXT,                        -- JSON
    -- An alarm stands until the person decides.
    alarm        TEXT CHECK (alarm IN ('key_changed', 'fork', 'rollback', 'chain_invalid')),
    alarm_since  REAL,
    alarm_detail TEXT,
    alarm_about  TEXT                         -- the new primary, or what the server showed
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_due ON contacts (due_at) WHERE state <> 'blocked';
CREATE INDEX contacts_requests ON contacts (state) WHERE state = 'request';

-- Every key that a contact's chain has had; `retired_at` as signed, null for the current one.
CREATE TABLE contact_keys (
    key        BLOB PRIMARY KEY,
    genesis    BLOB NOT NULL REFERENCES contacts (genesis) ON DELETE CASCADE,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_keys_of ON contact_keys (genesis);

-- What the person answered `keep_old` to: the same does not alarm again.
CREATE TABLE contact_refusals (
    genesis BLOB NOT NULL REFERENCES contacts (genesis) ON DELETE CASCADE,
    about   TEXT NOT NULL,
    PRIMARY KEY (genesis, about)
) STRICT, WITHOUT ROWID;
"""
