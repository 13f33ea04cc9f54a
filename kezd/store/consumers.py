"""Named consumers: how far each program is done with the event log.

Not here: who is connected (`daemon.event_log`). Invariants: `acked` never goes back and
never passes the head; at most `CONSUMERS` names.
"""

import json
from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

from kezd.errors import RequestError, Slug
from kezd.store.database import Transaction
from kezd.store.events import span

CONSUMERS = 64
"""Names at most."""
SKIP = 2_000
"""Events looked at in one step of `skip`."""

_COLUMNS = "name, topics, acked, created_at, last_seen_at"


class Consumer(NamedTuple):
    """One name. Times are unix seconds."""

    name: str
    topics: tuple[str, ...]
    acked: int
    created_at: float
    last_seen_at: float


class Lag(NamedTuple):
    """A consumer, and how many events of its topics it has not acknowledged."""

    consumer: Consumer
    events: int


def resume(tx: Transaction, name: str, topics: Collection[str], begin: int) -> int:
    """The consumer's place, made at `begin` when there is none of that name.

    Args:
        tx: a write transaction.
        name: checked.
        topics: what it listens to from now on.
        begin: seq after which a new one begins.

    Raises:
        RequestError: `invalid_argument` when there are too many.
    """
    found = find(tx, name)
    encoded = json.dumps(sorted(set(topics)))
    if found is not None:
        tx.execute(
            "UPDATE consumers SET topics = ?, last_seen_at = ? WHERE name = ?", (encoded, tx.now, name)
        )
        return found.acked
    row = tx.one("SELECT count(*) FROM consumers")
    assert row is not None
    if row[0] >= CONSUMERS:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"there are {CONSUMERS} consumers already",
            hint="events.consumers lists them; events.forget drops one that is not used any more",
        )
    tx.execute(
        f"INSERT INTO consumers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - constant column names
        (name, encoded, begin, tx.now, tx.now),
    )
    return begin


def ack(tx: Transaction, name: str, seq: int) -> int:
    """Done with everything up to `seq`; one that is behind what it said before changes nothing.

    Returns:
        Its place now.

    Raises:
        RequestError: `not_found`, or `invalid_argument` for a seq that no event has yet.
    """
    found = _existing(tx, name)
    head = span(tx).head
    if not 0 <= seq <= head:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"`seq`: the last event is {head}",
            detail={"field": "seq", "last_seq": head},
        )
    if seq > found.acked:
        tx.execute("UPDATE consumers SET acked = ?, last_seen_at = ? WHERE name = ?", (seq, tx.now, name))
    return max(seq, found.acked)


def forget(tx: Transaction, name: str) -> None:
    """Drop the name; the log keeps nothing for it any more.

    Raises:
        RequestError: `not_found`.
    """
    _existing(tx, name)
    tx.execute("DELETE FROM consumers WHERE name = ?", (name,))


def find(tx: Transaction, name: str) -> Consumer | None:
    """The consumer of that name."""
    row = tx.one(f"SELECT {_COLUMNS} FROM consumers WHERE name = ?", (name,))  # noqa: S608 - as above
    return None if row is None else _consumer(*row)


def names(tx: Transaction) -> list[str]:
    """All of them."""
    return [row[0] for row in tx.all("SELECT name FROM consumers ORDER BY name")]


def lags(tx: Transaction) -> list[Lag]:
    """Each consumer with what it has not acknowledged, by name; reads the log once, from the last of them on."""
    found = [_consumer(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM consumers ORDER BY name")]  # noqa: S608
    edges = sorted({one.acked for one in found})
    behind = dict.fromkeys((one.name for one in found), 0)
    for begin, end in pairwise([*edges, 2**62]):
        counts = tx.all(
            "SELECT topic, count(*) FROM events WHERE seq > ? AND seq <= ? GROUP BY topic", (begin, end)
        )
        for one in found:
            if one.acked <= begin:
                behind[one.name] += sum(count for topic, count in counts if topic in one.topics)
    return [Lag(one, behind[one.name]) for one in found]


def skip(tx: Transaction, name: str) -> bool:
    """Move a consumer past events of other topics, which it will never acknowledge.

    Looks at one step of the log; whether there is more to look at. One that has lost events
    stays where it is, so that it is told.
    """
    found = find(tx, name)
    oldest, head = span(tx)
    if found is None or found.acked + 1 < oldest:
        return False
    end = min(found.acked + SKIP, head)
    row = tx.one(
        "SELECT min(seq) FROM events WHERE seq > ? AND seq <= ?"
        " AND topic IN (SELECT value FROM json_each(?))",
        (found.acked, end, json.dumps(found.topics)),
    )
    first = None if row is None else row[0]
    place = end if first is None else first - 1
    if place > found.acked:
        tx.execute("UPDATE consumers SET acked = ? WHERE name = ?", (place, name))
    return first is None and end < head


def _existing(tx: Transaction, name: str) -> Consumer:
    found = find(tx, name)
    if found is None:
        raise RequestError(
            Slug.NOT_FOUND, "there is no consumer of that name", hint="events.consumers lists them"
        )
    return found


def _consumer(name: str, topics: str, acked: int, created_at: float, last_seen_at: float) -> Consumer:
    return Consumer(name, tuple(json.loads(topics)), acked, created_at, last_seen_at)
