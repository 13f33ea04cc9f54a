"""The chat's object stores: the parts that the service's own tests do not reach."""

import trio

from kezd.kez.ordering import StreamState
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.store import conversations, drops, events, outbox, streams
from kezd.store.database import Database
from kezd.store.savepoint import savepoint


def opened(path):
    return Database.open(path / "peer.db", bytes(32), SystemClock(), Bus())


async def test_the_event_log_is_read_by_topic(tmp_path):
    with trio.fail_after(10):
        async with opened(tmp_path) as db:
            assert await db.read(events.span) == (0, 0)

            def fill(tx):
                for number in range(10):
                    tx.emit("even" if number % 2 == 0 else "odd", {"number": number})

            await db.write(fill)
            assert await db.read(events.span) == (1, 10)
            found = await db.read(lambda tx: events.after(tx, 4, ["odd"], 2))
            assert [(e.seq, e.topic, e.body) for e in found] == [
                (6, "odd", {"number": 5}),
                (8, "odd", {"number": 7}),
            ]


async def test_a_savepoint_takes_back_rows_and_events(tmp_path):
    bus_events = []
    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            def write(tx):
                tx.emit("x", {"kept": 1})
                with savepoint(tx) as take_back:
                    drops.add(tx, {"a": 1})
                    tx.emit("x", {"kept": 0})
                    take_back()
                with savepoint(tx):
                    drops.add(tx, {"b": 2})
                return tx.events

            bus_events = await db.write(write)
            assert [e.body for e in bus_events] == [{"kept": 1}]
            assert await db.read(drops.by_cause) == {"b": 2}
            assert await db.read(events.span) == (1, 1)


async def test_a_stream_comes_back_as_it_was(tmp_path):
    state = StreamState(9, ((1, 2), (5, 8)))
    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            def write(tx):
                thread = conversations.ensure(tx, bytes(32), bytes(16))
                row = streams.create(tx, thread.id, b"s" * 16)
                streams.save(tx, row, state)
                return thread.id, row

            thread, row = await db.write(write)
            assert await db.read(lambda tx: streams.load(tx, thread, b"s" * 16)) == (row, state)
            assert await db.read(lambda tx: streams.load(tx, thread, b"t" * 16)) is None


async def test_unknown_versions_have_limited_room(tmp_path):
    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            def write(tx):
                big = bytes(streams.UNDECODED_BYTES - 10)
                return [
                    streams.keep_undecoded(tx, name, 9, data, 1.0)
                    for name, data in (("a", big), ("b", bytes(11)), ("c", bytes(10)))
                ]

            assert await db.write(write) == [True, False, True]
            assert await db.read(streams.count_undecoded) == 2
            assert await db.read(lambda tx: streams.undecoded(tx, 8, 10)) == []


async def test_large_envelopes_make_short_pages(tmp_path):
    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            def write(tx):
                for number in range(1, 51):
                    outbox.add(tx, number, 1, bytes(32), "0", bytes(192 * 1024), 1.0)

            await db.write(write)
            seen, after = [], outbox.FIRST
            while page := await db.read(lambda tx, after=after: outbox.queued(tx, after, 256)):
                assert sum(len(row.sealed) for row in page) < outbox.PAGE_BYTES + 192 * 1024
                seen += [row.id for row in page]
                after = page[-1].id
            assert seen == list(range(1, 51))
            assert outbox.receipt_id(b"\xff" * 16) < outbox.receipt_id(bytes(16)) < 0
