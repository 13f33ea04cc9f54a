"""Old events go by count, age and size, a step at a time, and never what a consumer still needs."""

import json
import time

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.daemon.housekeeping import keep_of, tidy
from kezd.errors import RequestError, Slug
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import DAYS, EventsSettings
from kezd.store import consumers, events, retention
from kezd.store.database import Database
from kezd.store.retention import STEP, Keep

KEY = bytes(32)
ALL = Keep(count=10**9, seconds=10**9, size=10**12)


class Later:
    """The machine's clock, set ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return SystemClock().now() + self.ahead

    def monotonic(self) -> float:
        return SystemClock().monotonic()


def opened(path, clock=None):
    return Database.open(path / "peer.db", KEY, clock or SystemClock(), Bus())


async def log(db, count, topic="message", size=0):
    def write(tx):
        for number in range(count):
            tx.emit(topic, {"n": number, "text": "x" * size})

    await db.write(write)


async def size_of(db):
    return await db.read(
        lambda tx: tx.one("SELECT coalesce(sum(length(CAST(body AS BLOB))), 0) FROM events")[0]
    )


async def test_by_count_and_the_seqs_go_on(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:
            assert await db.read(events.span) == (0, 0)
            await log(db, 3 * STEP + 10)
            assert await tidy(db, Keep(count=7, seconds=1e9, size=10**9)) == 3 * STEP + 3
            head = 3 * STEP + 10
            assert await db.read(events.span) == (head - 6, head)
            assert await tidy(db, Keep(count=7, seconds=1e9, size=10**9)) == 0
            await tidy(db, Keep(count=1, seconds=0, size=1))
            assert await db.read(events.span) == (head, head), "the newest stays, whatever is asked"
            assert await db.write(lambda tx: tx.emit("message", {})) == head + 1
        async with opened(tmp_path) as db:
            assert await db.write(lambda tx: tx.emit("message", {})) == head + 2


async def test_by_age(tmp_path):
    clock = Later()
    with trio.fail_after(30):
        async with opened(tmp_path, clock) as db:
            await log(db, 700)
            clock.ahead = 5 * DAYS
            await log(db, 10)
            keep = keep_of(EventsSettings(keep_days=3))
            assert await db.read(lambda tx: retention.is_due(tx, keep))
            assert await tidy(db, keep) == 700
            assert await db.read(events.span) == (701, 710)
            assert not await db.read(lambda tx: retention.is_due(tx, keep))
            clock.ahead = 9 * DAYS
            assert await tidy(db, keep) == 9


async def test_by_size_which_is_known_without_reading_the_log(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:
            await log(db, 1500, size=1000)
            keep = Keep(count=10**9, seconds=1e9, size=500_000)
            await tidy(db, keep)
            assert 490_000 < await size_of(db) <= 500_000
            await log(db, 40, size=2000)
            await tidy(db, keep)
            left = await size_of(db)
            assert left <= 500_000
            measured = await db.read(retention.measured)
            assert measured == (1540, left)


async def test_what_a_consumer_has_not_acknowledged_stays_until_age_or_size_take_it(tmp_path):
    clock = Later()
    soft = Keep(count=5, seconds=1e9, size=10**9)
    with trio.fail_after(30):
        async with opened(tmp_path, clock) as db:
            await log(db, 100)
            assert await db.write(lambda tx: consumers.resume(tx, "bot", ["message"], 40)) == 40
            await log(db, 100)
            await tidy(db, soft)
            assert await db.read(events.span) == (41, 200)
            await db.write(lambda tx: consumers.ack(tx, "bot", 150))
            await tidy(db, soft)
            assert await db.read(events.span) == (151, 200)
            clock.ahead = 2 * DAYS
            await log(db, 1)
            await tidy(db, Keep(count=5, seconds=1 * DAYS, size=10**9))
            assert await db.read(events.span) == (201, 201)
            await db.write(lambda tx: consumers.forget(tx, "bot"))
            await log(db, 20)
            await tidy(db, soft)
            assert await db.read(events.span) == (217, 221)


async def test_a_consumer_of_a_quiet_topic_keeps_nobody_from_forgetting(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:
            await log(db, 10, "contact")
            await db.write(lambda tx: consumers.resume(tx, "quiet", ["contact"], 9))
            await db.write(lambda tx: consumers.resume(tx, "done", ["contact"], 10))
            await log(db, 5000, "message")
            await tidy(db, ALL)
            places = {
                c.name: c.acked
                for c in [await db.read(lambda tx, n=n: consumers.find(tx, n)) for n in ("quiet", "done")]
            }
            assert places == {"quiet": 9, "done": 5010}, "one event of its topic is not acknowledged"
            lags = {lag.consumer.name: lag.events for lag in await db.read(consumers.lags)}
            assert lags == {"quiet": 1, "done": 0}


async def test_a_consumer_that_lost_events_is_not_moved_over_the_gap(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:
            await log(db, 1, "contact")
            await db.write(lambda tx: consumers.resume(tx, "bot", ["contact"], 0))
            await log(db, 50, "message", size=1000)
            await tidy(db, Keep(count=1, seconds=1e9, size=1000))
            assert (await db.read(events.span)).oldest > 1
            await tidy(db, Keep(count=1, seconds=1e9, size=1000))
            assert (await db.read(lambda tx: consumers.find(tx, "bot"))).acked == 0


async def test_acknowledging(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:
            await log(db, 10)
            await db.write(lambda tx: consumers.resume(tx, "bot", ["message"], 2))
            for seq, stands in ((5, 5), (5, 5), (3, 5), (0, 5), (10, 10)):
                assert await db.write(lambda tx, seq=seq: consumers.ack(tx, "bot", seq)) == stands
            for seq in (11, -1):
                with pytest.raises(RequestError) as caught:
                    await db.write(lambda tx, seq=seq: consumers.ack(tx, "bot", seq))
                assert caught.value.slug is Slug.INVALID_ARGUMENT
            with pytest.raises(RequestError) as caught:
                await db.write(lambda tx: consumers.ack(tx, "nobody", 1))
            assert caught.value.slug is Slug.NOT_FOUND
            assert await db.write(lambda tx: consumers.resume(tx, "bot", ["contact"], 2)) == 10
            assert (await db.read(lambda tx: consumers.find(tx, "bot"))).topics == ("contact",)


async def test_sixty_four_consumers_and_no_more(tmp_path):
    with trio.fail_after(30):
        async with opened(tmp_path) as db:

            def fill(tx):
                for number in range(consumers.CONSUMERS):
                    consumers.resume(tx, f"c{number}", ["message"], 0)

            await db.write(fill)
            with pytest.raises(RequestError):
                await db.write(lambda tx: consumers.resume(tx, "more", ["message"], 0))
            assert await db.write(lambda tx: consumers.resume(tx, "c7", ["message"], 0)) == 0
            await db.write(lambda tx: consumers.forget(tx, "c7"))
            assert await db.write(lambda tx: consumers.resume(tx, "more", ["message"], 0)) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("log"), st.integers(1, 900)),
            st.tuples(st.just("ack"), st.integers(0, 3000)),
            st.tuples(st.just("count"), st.integers(1, 900)),
            st.tuples(st.just("size"), st.integers(1, 60_000)),
        ),
        max_size=8,
    )
)
def test_no_holes_no_loss_and_the_size_is_right(tmp_path_factory, steps):
    async def run():
        async with opened(tmp_path_factory.mktemp("log")) as db:
            await db.write(lambda tx: consumers.resume(tx, "bot", ["message"], 0))
            head = acked = 0
            oldest = 1
            for what, number in steps:
                if what == "log":
                    await log(db, number)
                    head += number
                elif what == "ack" and number <= head:
                    acked = max(acked, number)
                    await db.write(lambda tx, seq=number: consumers.ack(tx, "bot", seq))
                elif what == "count":
                    await tidy(db, Keep(count=number, seconds=1e9, size=10**9))
                    oldest = max(oldest, min(head - number + 1, acked + 1, max(head, 1)))
                elif what == "size":
                    await tidy(db, Keep(count=10**9, seconds=1e9, size=number))
                    assert await size_of(db) <= number or (await db.read(events.span)).oldest == head
                    oldest = (await db.read(events.span)).oldest or 1
                span = await db.read(events.span)
                assert span == ((oldest, head) if head else (0, 0))
                assert await db.read(lambda tx: tx.one("SELECT count(*) FROM events")[0]) == (
                    head - oldest + 1 if head else 0
                )
            await tidy(db, ALL)
            assert (await db.read(retention.measured)).bytes == await size_of(db)

    trio.run(run)


async def test_a_large_prune_never_holds_up_a_writer(tmp_path):
    """Each writer waits for one small step at most, not for the prune."""
    total = 60_000
    with trio.fail_after(120):
        async with opened(tmp_path) as db:
            body = json.dumps({"text": "x" * 300})
            await db.write(
                lambda tx: tx.execute_many(
                    "INSERT INTO events (topic, body, created_at) VALUES ('message', ?, ?)",
                    ((body, tx.now) for _ in range(total)),
                )
            )

            async def latencies(count):
                found = []
                for number in range(count):
                    began = time.perf_counter()
                    await db.write(lambda tx, number=number: tx.emit("message", {"n": number}))
                    found.append(time.perf_counter() - began)
                return found

            alone = sorted(await latencies(200))
            began = time.perf_counter()
            beside = []
            async with trio.open_nursery() as nursery:

                async def prune():
                    await tidy(db, Keep(count=100, seconds=1e9, size=10**9))
                    nursery.cancel_scope.cancel()

                nursery.start_soon(prune)
                while True:
                    beside += await latencies(1)
            took = time.perf_counter() - began
            beside.sort()
            assert len(beside) > 20, "writers went on all the while"
            # a prune in one piece would have held up one of them for as long as it took
            assert beside[-1] < max(took / 4, 20 * alone[len(alone) // 2])
            assert (await db.read(events.span)).oldest > total - 100
