"""A page of history: the same time in a large database as in a small one?

The databases are made with the store's own functions, one thread of messages that came in, a
long text now and then; pages are read at random places, as `chat.history` reads them.
"""

import functools
import itertools
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio

from bench.figures import percentile
from bench.scale import Scale
from bench.table import Row, Table
from kezd.errors import RequestError, Slug
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.signing import Signer
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.services.chat import ChatHistory
from kezd.services.ports import Route, Sender
from kezd.store import conversations, messages, streams
from kezd.store.database import Database, Transaction
from kezd.store.messages import MessageRow, State

SMALL = 10_000
PAGE = 50
STEP = 500
BATCH = 5_000
FRIEND = Signer(Seed(bytes(range(32)))).public
WORDS = "the quick brown fox jumps over the lazy dog and is not seen again before the next message comes "


class OneFriend:
    """A contact book with one name in it."""

    def named(self, tx: Transaction, name: str) -> PublicKey:
        """Always the friend."""
        return FRIEND

    def route(self, tx: Transaction, genesis: PublicKey) -> Route:
        """Nobody writes here."""
        raise RequestError(Slug.NOT_A_CONTACT)

    def route_by_name(self, tx: Transaction, name: str) -> Route:
        """Nobody writes here."""
        raise RequestError(Slug.NOT_A_CONTACT)

    def sender(self, tx: Transaction, key: PublicKey) -> Sender:
        """The friend."""
        return Sender(FRIEND, "friend@kez.test", "accepted")

    def known(self, tx: Transaction, genesis: PublicKey) -> Sender:
        """The friend."""
        return Sender(FRIEND, "friend@kez.test", "accepted")

    def wants_lookup(self, genesis: PublicKey) -> None:
        """There is nothing to look up."""


def measure(scale: Scale) -> list[Table]:
    """A page of history in a large database beside a small one."""
    return trio.run(_measure, scale)


async def _measure(scale: Scale) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        small = await _pages(Path(directory) / "small.db", SMALL, scale.pages)
        large = await _pages(Path(directory) / "large.db", scale.history, scale.pages)
    what = f"a page of {PAGE} in {scale.history:,} messages, {{}}"
    return [
        Table(
            "History",
            [
                Row(what.format("p50"), large["p50"], small["p50"], "ms", "≤ 20 ms", "flat"),
                Row(what.format("p99"), large["p99"], small["p99"], "ms", "≤ 20 ms", "flat"),
                Row(what.format("the newest"), large["newest"], small["newest"], "ms"),
            ],
            [
                f"{scale.pages} pages at random places of one conversation, SQLCipher, read and encoded as"
                f" `chat.history` does, in process. Baseline: the same in {SMALL:,} messages."
            ],
        )
    ]


async def _pages(path: Path, count: int, pages: int) -> dict[str, float]:
    """Milliseconds."""
    async with Database.open(path, secrets.token_bytes(32), SystemClock(), Bus()) as db:
        await _fill(db, count)
        history = ChatHistory(db, OneFriend())
        cursors = await _cursors(history)
        places = [cursors[secrets.randbelow(len(cursors))] for _ in range(pages)]
        took = [await _timed(functools.partial(_page, history, cursor)) for cursor in places]
        newest = [await _timed(functools.partial(_page, history, None)) for _ in range(pages)]
    return {
        "p50": percentile(took, 0.5) * 1000,
        "p99": percentile(took, 0.99) * 1000,
        "newest": percentile(newest, 0.5) * 1000,
    }


async def _page(history: ChatHistory, cursor: str | None) -> None:
    page = await history.history("friend", PAGE, cursor)
    assert len(page.items) == PAGE
    msgspec.json.encode(page)


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def _cursors(history: ChatHistory) -> list[str]:
    """Every cursor that a reader going back to the beginning is given, but for the last."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await history.history("friend", STEP, cursor)
        if page.next_cursor is None or len(page.items) < STEP:
            return found[:-1]
        cursor = page.next_cursor
        found.append(cursor)


async def _fill(db: Database, count: int) -> None:
    numbers = iter(range(1, count + 1))
    while batch := list(itertools.islice(numbers, BATCH)):
        await db.write(functools.partial(_insert, batch))


def _insert(batch: list[int], tx: Transaction) -> None:
    thread = conversations.ensure(tx, FRIEND.raw, bytes(16))
    stream = streams.load(tx, thread.id, bytes(16))
    stream_row = stream[0] if stream else streams.create(tx, thread.id, bytes(16))
    last = 0
    for number in batch:
        text = WORDS * (10 if number % 50 == 0 else 1)
        row = MessageRow(
            row=0, conversation=thread.id, outgoing=0, id=secrets.token_bytes(16), kind="text", text=text,
            sent_at=1_700_000_000 + number, arrived_at=1_700_000_000_000 + number, state=State.SEEN, cause=None,
            position=number, request=0, future_dated=0, older=0, newer_version=0, missing_before=0,
        )  # fmt: skip
        stored = messages.insert_incoming(tx, row, stream_row, number, None, 0.0)
        assert stored is not None
        last = stored.row
    conversations.save(tx, thread._replace(position=batch[-1], last_message=last))
