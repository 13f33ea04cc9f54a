"""Contacts: who they are, what their verified chain says, and what alarms stand.

Facts of a chain are kept in columns, so that a message costs a look-up and no
verification. Not here: verification and decisions. Invariants: a handle belongs to one
contact; a key belongs to one contact; an alarm is taken away only by `clear_alarm`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from kezd.kez.keys import PublicKey
from kezd.store.database import Row, Transaction


class Standing(Enum):
    """What the person decided about a contact."""

    REQUEST = "request"
    ACCEPTED = "accepted"
    BLOCKED = "blocked"


class AlarmKind(Enum):
    """Why sending stopped."""

    KEY_CHANGED = "key_changed"
    FORK = "fork"
    ROLLBACK = "rollback"
    CHAIN_INVALID = "chain_invalid"


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm; `about` is the new primary, or what stands for the chain that was shown."""

    kind: AlarmKind
    since: float
    detail: str
    about: str


@dataclass(frozen=True, slots=True)
class StoredContact:
    """One contact. Times are unix seconds.

    `verified_key` is the key that safety words were last compared for, which may not be the current one.
    """

    genesis: PublicKey
    state: Standing
    handle: str | None
    added_at: float
    checked_at: float | None
    failures: int
    current: PublicKey
    chain_seq: int
    chain_head: str | None
    sigchain_url: str | None
    etag: str | None
    nats_url: str | None
    inbox: str | None
    accepts: tuple[int, ...]
    alarm: StoredAlarm | None
    verified_key: PublicKey | None
    verified_at: float | None


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What a verified chain says, as far as messages need it."""

    current: PublicKey
    keys: tuple[tuple[PublicKey, int | None], ...]
    """Every key it has had, with the unix second of its retirement."""
    seq: int
    head: str | None
    nats_url: str | None
    inbox: str | None
    accepts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """Whose key it is; `retired_at` is None for their current one."""

    genesis: PublicKey
    handle: str | None
    state: Standing
    retired_at: int | None


_COLUMNS = (
    "genesis, state, handle, added_at, checked_at, failures, current, chain_seq, chain_head, sigchain_url, etag,"
    " nats_url, inbox, accepts, alarm, alarm_since, alarm_detail, alarm_about,"
    " verified_key, verified_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM contacts"  # noqa: S608 - constant column names
_SORT_KEY = "coalesce(handle, '~' || hex(genesis))"
"""Contacts with a handle come first, by it: `~` sorts after everything a handle may hold."""


# A memo of a pure function: each message asks for its contact, and the row is nearly always the same.
@lru_cache(maxsize=1024)
def _contact(row: Row) -> StoredContact:
    genesis, state, handle, added_at, checked_at, failures, current, seq, head, url, etag, nats, inbox = row[
        :13
    ]
    accepts, kind, since, detail, about, verified_key, verified_at = row[13:]
    return StoredContact(
        PublicKey(genesis),
        Standing(state),
        handle,
        added_at,
        checked_at,
        failures,
        PublicKey(current),
        seq,
        head,
        url,
        etag,
        nats,
        inbox,
        tuple(json.loads(accepts)) if accepts else (),
        None if kind is None else StoredAlarm(AlarmKind(kind), since, detail, about),
        None if verified_key is None else PublicKey(verified_key),
        verified_at,
    )


def load_contact(tx: Transaction, genesis: PublicKey) -> StoredContact | None:
    """The contact whose chain began with that key."""
    row = tx.one(f"{_SELECT} WHERE genesis = ?", (genesis.raw,))
    return None if row is None else _contact(row)


def contact_by_handle(tx: Transaction, handle: str) -> StoredContact | None:
    """The contact that has a handle (qualified)."""
    row = tx.one(f"{_SELECT} WHERE handle = ?", (handle,))
    return None if row is None else _contact(row)


def find_key(tx: Transaction, key: PublicKey) -> KnownKey | None:
    """Whose key it is, by any key their chain has had."""
    row = tx.one(
        "SELECT c.genesis, c.handle, c.state, k.retired_at FROM contact_keys k"
        " JOIN contacts c ON c.genesis = k.genesis WHERE k.key = ?",
        (key.raw,),
    )
    return None if row is None else KnownKey(PublicKey(row[0]), row[1], Standing(row[2]), row[3])


def add_contact(tx: Transaction, genesis: PublicKey, state: Standing, due_at: float) -> None:
    """A new contact of whom only a key is known; there is none yet."""
    tx.execute(
        "INSERT INTO contacts (genesis, state, added_at, due_at, current) VALUES (?, ?, ?, ?, ?)",
        (genesis.raw, state.value, tx.now, due_at, genesis.raw),
    )
    tx.execute(
        "INSERT OR REPLACE INTO contact_keys (key, genesis, retired_at) VALUES (?, ?, NULL)",
        (genesis.raw, genesis.raw),
    )


def give_back_key(tx: Transaction, contact: StoredContact) -> None:
    """The contact's first key, which nobody has any more, is its own again unless its chain retired it."""
    if contact.current == contact.genesis:
        tx.execute(
            "INSERT INTO contact_keys (key, genesis, retired_at) VALUES (?, ?, NULL)",
            (contact.genesis.raw, contact.genesis.raw),
        )


def set_standing(tx: Transaction, genesis: PublicKey, state: Standing) -> None:
    """What the person decided."""
    tx.execute("UPDATE contacts SET state = ? WHERE genesis = ?", (state.value, genesis.raw))


def set_verified(tx: Transaction, genesis: PublicKey, key: PublicKey | None, at: float | None) -> None:
    """The key that safety words were compared for, and when; None takes it back."""
    tx.execute(
        "UPDATE contacts SET verified_key = ?, verified_at = ? WHERE genesis = ?",
        (None if key is None else key.raw, at, genesis.raw),
    )


def set_handle(tx: Transaction, genesis: PublicKey, handle: str | None, registration: bytes | None) -> None:
    """Give or take a handle; nobody else has it."""
    tx.execute(
        "UPDATE contacts SET handle = ?, registration = ? WHERE genesis = ?",
        (handle, registration, genesis.raw),
    )


def keep_copy(tx: Transaction, genesis: PublicKey, facts: ChainFacts) -> None:
    """What a verified chain says that did not come from its server, whose address stays what it was."""
    contact = load_contact(tx, genesis)
    assert contact is not None, "there is such a contact"
    keep_facts(tx, genesis, facts, contact.sigchain_url, None)


def keep_facts(
    tx: Transaction, genesis: PublicKey, facts: ChainFacts, sigchain_url: str | None, etag: str | None
) -> None:
    """What the verified chain says now."""
    tx.execute(
        "UPDATE contacts SET current = ?, chain_seq = ?, chain_head = ?, nats_url = ?, inbox = ?, accepts = ?,"
        " sigchain_url = ?, etag = ? WHERE genesis = ?",
        (
            facts.current.raw,
            facts.seq,
            facts.head,
            facts.nats_url,
            facts.inbox,
            json.dumps(facts.accepts),
            sigchain_url,
            etag,
            genesis.raw,
        ),
    )
    tx.execute("DELETE FROM contact_keys WHERE genesis = ?", (genesis.raw,))
    # A key agreed to be in this chain when it was rotated in: a stranger who was kept under it is this one. But
    # whoever has stolen the old key of another chain could agree as well, so what a chain holds it keeps.
    tx.execute_many(
        "INSERT INTO contact_keys (key, genesis, retired_at) VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET genesis = excluded.genesis, retired_at = excluded.retired_at"
        " WHERE (SELECT chain_seq FROM contacts WHERE genesis = contact_keys.genesis) = 0",
        [(key.raw, genesis.raw, retired_at) for key, retired_at in facts.keys],
    )


def note_check(tx: Transaction, genesis: PublicKey, due_at: float, *, reached: bool) -> None:
    """A look at the contact has ended; `reached` when somebody answered."""
    if reached:
        tx.execute(
            "UPDATE contacts SET checked_at = ?, due_at = ?, failures = 0 WHERE genesis = ?",
            (tx.now, due_at, genesis.raw),
        )
    else:
        tx.execute(
            "UPDATE contacts SET due_at = ?, failures = failures + 1 WHERE genesis = ?", (due_at, genesis.raw)
        )


def make_due(tx: Transaction, genesis: PublicKey) -> None:
    """Look at it now."""
    tx.execute("UPDATE contacts SET due_at = ? WHERE genesis = ?", (tx.now, genesis.raw))


def due_contacts(tx: Transaction, now: float, limit: int) -> list[StoredContact]:
    """Contacts that are to be looked at, the longest due first; blocked ones never."""
    rows = tx.all(f"{_SELECT} WHERE due_at <= ? AND state <> 'blocked' ORDER BY due_at LIMIT ?", (now, limit))
    return [_contact(row) for row in rows]


def next_due(tx: Transaction) -> float | None:
    """When the next contact is due."""
    row = tx.one("SELECT min(due_at) FROM contacts WHERE state <> 'blocked'")
    return None if row is None else row[0]


def page_contacts(tx: Transaction, after: str | None, limit: int) -> list[tuple[str, StoredContact]]:
    """Contacts by handle, those without one last, each with its place for `after`."""
    rows = tx.all(
        f"SELECT {_SORT_KEY} AS place, {_COLUMNS} FROM contacts WHERE place > ? ORDER BY place LIMIT ?",  # noqa: S608
        (after or "", limit),
    )
    return [(row[0], _contact(row[1:])) for row in rows]


def count_contacts(tx: Transaction, state: Standing) -> int:
    """How many contacts are in a state."""
    row = tx.one("SELECT count(*) FROM contacts WHERE state = ?", (state.value,))
    assert row is not None
    return int(row[0])


def set_alarm(tx: Transaction, genesis: PublicKey, kind: AlarmKind, detail: str, about: str) -> bool:
    """Raise an alarm, unless the person has refused the same before, or it stands already.

    Returns:
        Whether it is new.
    """
    if tx.one("SELECT 1 FROM contact_refusals WHERE genesis = ? AND about = ?", (genesis.raw, about)):
        return False
    standing = tx.one("SELECT alarm, alarm_about FROM contacts WHERE genesis = ?", (genesis.raw,))
    if standing is None or tuple(standing) == (kind.value, about):
        return False
    tx.execute(
        "UPDATE contacts SET alarm = ?, alarm_since = ?, alarm_detail = ?, alarm_about = ? WHERE genesis = ?",
        (kind.value, tx.now, detail, about, genesis.raw),
    )
    return True


def clear_alarm(tx: Transaction, genesis: PublicKey) -> None:
    """The person has decided."""
    tx.execute(
        "UPDATE contacts SET alarm = NULL, alarm_since = NULL, alarm_detail = NULL, alarm_about = NULL"
        " WHERE genesis = ?",
        (genesis.raw,),
    )


def refuse(tx: Transaction, genesis: PublicKey, abouts: Sequence[str]) -> None:
    """These do not alarm again."""
    tx.execute_many(
        "INSERT OR IGNORE INTO contact_refusals (genesis, about) VALUES (?, ?)",
        [(genesis.raw, about) for about in abouts],
    )
