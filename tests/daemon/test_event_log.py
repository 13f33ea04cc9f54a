"""A snapshot and the events after it: real store, a writer that never stops, nothing missed and nothing twice."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.api import types as t
from kezd.daemon.event_log import EventLog, Views
from kezd.daemon.housekeeping import tidy
from kezd.errors import RequestError, Slug
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.signing import Signer
from kezd.net.home import HomeClient
from kezd.rpc.start import find_start
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import HomeSettings
from kezd.services.chat.history import ChatHistory
from kezd.services.contacts.book import Book
from kezd.services.identity import Identity
from kezd.store import conversations
from kezd.store.contacts import Standing, add_contact, set_standing
from kezd.store.database import Database
from kezd.store.retention import Keep
from kezd.store.vault import Vault
from kezd.testing.profile_services import PASSPHRASE

CONTACTS = 5


@asynccontextmanager
async def opened(path: Path):
    clock = SystemClock()
    vault = Vault(path, "passphrase", "default", {})
    record = await vault.create(PASSPHRASE)
    async with (
        HomeClient.open(lambda server: f"https://{server}", version="test") as home,
        Database.open(path / "peer.db", record.db_key, clock, Bus()) as db,
        Identity.open(db, vault, record, home, clock, HomeSettings()) as identity,
    ):
        history = ChatHistory(db, Book(lambda: (None, None), lambda: None))
        yield db, EventLog(db, clock, Views(identity, history, list))


def key(number: int) -> PublicKey:
    return Signer(Seed(bytes([number + 1]) * 32)).public


def arrive(tx, number: int) -> None:
    """A message came: unread grows, and the event says so, in one transaction."""
    thread = conversations.ensure(tx, key(number).raw, bytes(16))
    last = tx.one("SELECT coalesce(max(last_message), 0) + 1 FROM conversations")[0]
    tx.execute(
        "INSERT INTO messages (row, conversation, outgoing, id, kind, text, sent_at, arrived_at, state, position)"
        " VALUES (?, ?, 0, ?, 'text', 'x', 0, 0, 10, ?)",
        (last, thread.id, last.to_bytes(16, "big"), thread.position + 1),
    )
    conversations.save(
        tx, thread._replace(unread=thread.unread + 1, last_message=last, position=thread.position + 1)
    )
    tx.emit("message", {"type": "received", "of": number, "unread": thread.unread + 1})


def become(tx, number: int, state: Standing) -> None:
    set_standing(tx, key(number), state)
    tx.emit("contact", {"type": "changed", "of": number, "state": state.value})


class State:
    """What a front-end draws, from a snapshot and then from events."""

    def __init__(self, shown: t.Snapshot) -> None:
        names = {key(n).primary: n for n in range(CONTACTS)}
        self.unread = {names[c.contact]: c.unread for c in shown.conversations.items}
        self.total = shown.unread
        self.blocked = shown.contacts.blocked
        assert self.total == sum(self.unread.values()), "one state, read at once"

    def apply(self, event) -> None:
        if event.topic == "message":
            number = event.body["of"]
            self.unread[number] = self.unread.get(number, 0) + 1
            self.total += 1
            assert self.unread[number] == event.body["unread"], "neither missed nor counted twice"
        else:
            self.blocked += 1 if event.body["state"] == "blocked" else -1


async def check_snapshot(log: EventLog, writes) -> None:
    """Alone, it is what the writes up to its seq made; each write is one event."""
    start = await find_start(log, t.SubscribeParams(topics=["message"], snapshot=True))
    assert State(start.snapshot).total == sum(1 for _, what in writes[: start.begin] if what)


async def look(log: EventLog, settle) -> State:
    """As `events.subscribe {snapshot: true}` does it: queue first, then the snapshot, then what came after it."""
    with log.subscribe(["message", "contact"]) as live:
        start = await find_start(log, t.SubscribeParams(topics=["message", "contact"], snapshot=True))
        state, seq = State(start.snapshot), start.begin
        last = await settle()
        while seq < last:
            for event in await live.receive_batch():
                if event.seq > start.begin:
                    assert event.seq == seq + 1
                    seq = event.seq
                    state.apply(event)
    return state


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, CONTACTS - 1), st.integers(0, 9)), min_size=50, max_size=300))
def test_snapshot_and_events_after_it_are_the_state(tmp_path_factory, writes):
    async def run():
        with trio.fail_after(60):
            async with opened(tmp_path_factory.mktemp("log")) as (db, log):
                await db.write(
                    lambda tx: [add_contact(tx, key(n), Standing.ACCEPTED, 0.0) for n in range(CONTACTS)]
                )
                written = trio.Event()
                blocked = set()

                async def write():
                    for number, what in writes:
                        if what == 0:
                            state = Standing.ACCEPTED if number in blocked else Standing.BLOCKED
                            blocked.symmetric_difference_update({number})
                            await db.write(lambda tx, n=number, s=state: become(tx, n, s))
                        else:
                            await db.write(lambda tx, n=number: arrive(tx, n))
                    written.set()

                async def settle():
                    await written.wait()
                    return len(writes)

                found = []

                async def one():
                    for _ in range(20):
                        await check_snapshot(log, writes)
                    found.append(await look(log, settle))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(write)
                    for _ in range(12):
                        nursery.start_soon(one)
                        await trio.sleep(0.001)
                messages = sum(1 for _, what in writes if what)
                assert [s.total for s in found] == [messages] * 12
                assert [s.blocked for s in found] == [len(blocked)] * 12
                assert len({tuple(sorted(s.unread.items())) for s in found}) == 1

    trio.run(run)


async def test_places_of_a_consumer_in_the_real_log(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as (db, log):

            async def start(**params):
                return await find_start(log, t.SubscribeParams(topics=["message"], **params))

            await db.write(lambda tx: add_contact(tx, key(0), Standing.ACCEPTED, 0.0))
            empty = await start(consumer="bot")
            assert (empty.begin, empty.last, empty.acked) == (0, 0, 0)
            for _ in range(20):
                await db.write(lambda tx: arrive(tx, 0))
            again = await start(consumer="bot")
            assert (again.begin, again.last, again.replays) == (0, 20, True)
            await log.consumers.ack("bot", 8)
            assert (await start(consumer="bot")).begin == 8
            since = t.Since(epoch=log.epoch, seq=15)
            moved = await start(consumer="bot", since=since)
            assert (moved.begin, moved.acked) == (15, 8)
            await tidy(db, Keep(count=1, seconds=1e9, size=10**9))
            assert await log.bounds() == (9, 20), "the count does not take what it waits for"
            await tidy(db, Keep(count=1, seconds=1e9, size=1))
            assert await log.bounds() == (20, 20)
            with pytest.raises(RequestError) as caught:
                await start(consumer="bot")
            assert caught.value.slug is Slug.CANNOT_REPLAY
            assert caught.value.detail == {"epoch": log.epoch, "first_seq": 20, "last_seq": 20, "acked": 8}
            (row,) = await log.consumers.list()
            assert (row.lost, row.connected, row.lag) == (True, False, 1)
            snapshot = await start(consumer="bot", snapshot=True)
            assert (snapshot.begin, snapshot.snapshot.unread) == (20, 20)
            await log.consumers.ack("bot", snapshot.last)
            assert not (await start(consumer="bot")).replays


async def test_one_listener_a_name(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as (_, log):
            await log.consumers.resume("bot", ["message"], 0)
            told = []
            first = log.consumers.hold("bot", lambda why: told.append(("first", why)))
            second = log.consumers.hold("bot", lambda why: told.append(("second", why)))
            assert told == [("first", "taken_over")]
            first()
            assert (await log.consumers.list())[0].connected, "the older one lets go of nothing"
            second()
            (row,) = await log.consumers.list()
            assert not row.connected
            assert row.last_seen > 0
            log.consumers.hold("bot", lambda why: told.append(("third", why)))
            await log.consumers.forget("bot")
            assert told[1:] == [("third", "forgotten")]
            assert await log.consumers.list() == []
