"""How far a change of our key has come, alarms about our own chain, and heads that contacts told of."""

SQL = """
ALTER TABLE identity ADD COLUMN rotation TEXT CHECK (rotation IN ('shown', 'confirmed'));
ALTER TABLE identity ADD COLUMN rotation_asked TEXT NOT NULL DEFAULT '[]';
ALTER TABLE identity ADD COLUMN chain_alarm TEXT;

-- The highest head of a contact's chain that the contact itself has told us of, when we had not seen it.
CREATE TABLE told_heads (
    genesis BLOB PRIMARY KEY REFERENCES contacts (genesis) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    hash    TEXT NOT NULL,
    told_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Envelopes of a key that is not yet known to be a contact's, who says that it is.
CREATE TABLE held_envelopes (
    id         TEXT PRIMARY KEY,
    genesis    BLOB NOT NULL REFERENCES contacts (genesis) ON DELETE CASCADE,
    sealed     BLOB NOT NULL,
    arrived_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX held_envelopes_of ON held_envelopes (genesis);
"""
