"""Counts over contacts and conversations, for the snapshot that a front-end draws first."""

from typing import NamedTuple

from kezd.store.database import Transaction


class Counts(NamedTuple):
    """How many contacts there are in each state, how many alarms stand, how much is unread."""

    accepted: int
    requests: int
    blocked: int
    alarms: int
    unread: int


def count(tx: Transaction) -> Counts:
    """Everything counted in the state that `tx` sees."""
    row = tx.one(
        "SELECT coalesce(sum(state = 'accepted'), 0), coalesce(sum(state = 'request'), 0),"
        " coalesce(sum(state = 'blocked'), 0), count(alarm),"
        " (SELECT coalesce(sum(unread), 0) FROM conversations) FROM contacts"
    )
    assert row is not None
    return Counts._make(row)
