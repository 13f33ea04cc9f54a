"""Conversations, messages and what waits to be sent."""

SQL = """
-- One thread with one contact, who is the key their chain began with.
CREATE TABLE conversations (
    id           INTEGER PRIMARY KEY,
    genesis      BLOB NOT NULL UNIQUE,
    position     INTEGER NOT NULL DEFAULT 0,  -- the last one given out or held free for a gap
    last_message INTEGER,
    unread       INTEGER NOT NULL DEFAULT 0,
    missing      INTEGER NOT NULL DEFAULT 0,
    out_stream   BLOB NOT NULL,               -- 16 random bytes of this installation and contact
    out_n        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX conversations_latest ON conversations (last_message);

-- Streams that come in; `missing` is JSON, ranges [first, last].
CREATE TABLE streams (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    stream       BLOB NOT NULL,
    highest      INTEGER NOT NULL,
    missing      TEXT NOT NULL DEFAULT '[]',
    UNIQUE (conversation, stream)
) STRICT;

CREATE TABLE messages (
    row            INTEGER PRIMARY KEY,
    conversation   INTEGER NOT NULL REFERENCES conversations (id),
    outgoing       INTEGER NOT NULL,
    id             BLOB NOT NULL,             -- 16 bytes
    kind           TEXT NOT NULL,
    text           TEXT,
    sent_at        INTEGER NOT NULL,          -- unix s, the sender's word
    arrived_at     INTEGER NOT NULL,          -- unix ms
    state          INTEGER NOT NULL,
    cause          TEXT,
    position       INTEGER NOT NULL,
    request        INTEGER NOT NULL DEFAULT 0,
    future_dated   INTEGER NOT NULL DEFAULT 0,
    older          INTEGER NOT NULL DEFAULT 0,
    newer_version  INTEGER NOT NULL DEFAULT 0,
    missing_before INTEGER NOT NULL DEFAULT 0,
    stream         INTEGER,
    n              INTEGER,
    body           TEXT,                      -- JSON, of kinds that this version does not show
    receipted_at   REAL                       -- when its delivered receipt was last owed
) STRICT;
CREATE UNIQUE INDEX messages_id ON messages (id, conversation, outgoing);
CREATE INDEX messages_order ON messages (conversation, position);
CREATE INDEX messages_stream ON messages (stream, n) WHERE stream IS NOT NULL;
CREATE INDEX messages_unseen ON messages (conversation, position) WHERE state = 10;
CREATE INDEX messages_requests ON messages (conversation) WHERE request = 1;
CREATE INDEX messages_unreceipted ON messages (conversation) WHERE outgoing = 0 AND receipted_at IS NULL;

-- Sealed bytes, the same at each attempt. The id is the message's row; a receipt's is negative and random.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    accepted     INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    attempted_at REAL NOT NULL DEFAULT 0,
    due_at       REAL NOT NULL DEFAULT 0,     -- when an accepted one is sent again
    created_at   REAL NOT NULL,
    recipient    BLOB NOT NULL,
    device       TEXT NOT NULL,
    sealed       BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_queued ON outbox (conversation, id) WHERE accepted = 0;
CREATE INDEX outbox_due ON outbox (due_at) WHERE accepted = 1;

CREATE TABLE receipts_owed (
    message      INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    read         INTEGER NOT NULL
) STRICT;

-- Envelopes of a version that this kezd cannot open yet.
CREATE TABLE undecoded (
    id         TEXT PRIMARY KEY,
    version    INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    arrived_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE drops (
    cause TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
