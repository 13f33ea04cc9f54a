"""The database: group commit, rollback, events after the commit, migrations, encryption."""

import functools
import subprocess
import sys
import textwrap

import pytest
import trio
import trio.testing

from kezd.errors import RequestError, Slug, StoreError
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.store import database, idempotency
from kezd.store.database import Database, Transaction
from kezd.store.idempotency import Once

KEY = bytes(range(32))


def opened(path, bus=None, key=KEY):
    return Database.open(path / "peer.db", key, SystemClock(), bus or Bus())


def emit(number: int, tx: Transaction) -> int:
    return tx.emit("message", {"number": number})


def fail(tx: Transaction) -> None:
    tx.emit("message", {"number": -1})
    raise RequestError(Slug.NOT_FOUND)


def logged(tx: Transaction) -> list[int]:
    return [row[0] for row in tx.all("SELECT seq FROM events ORDER BY seq")]


async def test_one_failing_write_takes_no_other_with_it(tmp_path):
    seqs: list[int] = []
    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            async def write(number: int) -> None:
                if number % 10 == 3:
                    with pytest.raises(RequestError):
                        await db.write(fail)
                else:
                    seqs.append(await db.write(functools.partial(emit, number)))

            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(write, number)
            assert await db.read(logged) == list(range(1, 91))
    assert sorted(seqs) == list(range(1, 91))


async def test_events_are_published_after_their_commit_and_in_order(tmp_path):
    bus = Bus()
    with trio.fail_after(10):
        async with opened(tmp_path, bus) as db:
            with bus.subscribe(["message"]) as subscription:
                async with trio.open_nursery() as nursery:
                    for number in range(50):
                        nursery.start_soon(db.write, functools.partial(emit, number))
                seen = []
                while len(seen) < 50:
                    for event in await subscription.receive_batch():
                        assert event.seq in await db.read(logged)
                        seen.append(event.seq)
    assert seen == list(range(1, 51))


async def test_a_write_that_refuses_before_it_changed_anything_has_nothing_run_twice(tmp_path):
    runs = []

    def refuse(tx: Transaction) -> None:
        runs.append("refused")
        raise RequestError(Slug.NOT_A_CONTACT)

    def count(tx: Transaction) -> None:
        runs.append("written")
        emit(1, tx)

    with trio.fail_after(10):
        async with opened(tmp_path) as db:

            async def refused() -> None:
                with pytest.raises(RequestError):
                    await db.write(refuse)

            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(db.write, count)
                    nursery.start_soon(refused)
            assert len(await db.read(logged)) == 50
    assert sorted(runs) == ["refused"] * 50 + ["written"] * 50


async def test_what_follows_a_write_follows_in_the_order_of_the_writes(tmp_path):
    """Trio wakes the callers in any order."""
    order: list[int] = []
    with trio.fail_after(10):
        async with opened(tmp_path) as db:
            for _ in range(20):
                async with trio.open_nursery() as nursery:
                    for number in range(50):
                        nursery.start_soon(db.write, functools.partial(emit, number), order.append)
            assert order == await db.read(logged)


async def test_nothing_follows_a_write_that_failed(tmp_path):
    followed: list[object] = []
    with trio.fail_after(10):
        async with opened(tmp_path) as db:
            with pytest.raises(RequestError):
                await db.write(fail, followed.append)
    assert followed == []


async def test_a_cancelled_caller_learns_what_became_of_its_write(tmp_path):
    with trio.fail_after(10):
        async with opened(tmp_path) as db:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def write() -> None:
                        assert await db.write(functools.partial(emit, 1)) == 1

                    nursery.start_soon(write)
                    await trio.testing.wait_all_tasks_blocked(0)
                    scope.cancel()
            assert await db.read(logged) == [1]


async def test_the_key_is_needed_and_nothing_is_readable_on_disk(tmp_path):
    with trio.fail_after(10):
        async with opened(tmp_path) as db:
            await db.write(lambda tx: tx.emit("message", {"text": "unmistakable plaintext"}))
            for file in tmp_path.iterdir():
                assert b"unmistakable" not in file.read_bytes()
                assert not file.read_bytes().startswith(b"SQLite format 3")
        with pytest.raises(StoreError) as caught:
            async with opened(tmp_path, key=bytes(32)):
                pass
    assert caught.value.slug is Slug.STORE_FAILED


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    async with opened(tmp_path):
        pass
    connection = database.connect(tmp_path / "peer.db", KEY)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "peer.db").read_bytes()
    with pytest.raises(StoreError) as caught:
        async with opened(tmp_path):
            pass
    assert caught.value.slug is Slug.SCHEMA_TOO_NEW
    assert (tmp_path / "peer.db").read_bytes() == before


def test_a_failing_migration_leaves_the_schema_as_it_was(tmp_path):
    connection = database.connect(tmp_path / "peer.db", KEY)
    database.migrate(connection, ["CREATE TABLE a (x INTEGER) STRICT;"])
    with pytest.raises(database.sqlite.Error):
        database.migrate(
            connection,
            [
                "CREATE TABLE a (x INTEGER) STRICT;",
                "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);",
            ],
        )
    connection.execute("ROLLBACK")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    connection.close()
    assert tables == [("a",)]


async def test_the_epoch_stays_with_the_database(tmp_path):
    async with opened(tmp_path) as db:
        first = db.epoch
    async with opened(tmp_path) as db:
        assert db.epoch == first
    (tmp_path / "other").mkdir()
    async with opened(tmp_path / "other") as db:
        assert db.epoch != first


async def test_an_idempotency_key_is_bound_to_method_and_parameters(tmp_path):
    once = Once("key-1", "chat.send", "aa")
    async with opened(tmp_path) as db:
        assert await db.write(lambda tx: idempotency.recall(tx, once)) is None
        await db.write(lambda tx: idempotency.remember(tx, once, {"message": "m"}))
        assert await db.write(lambda tx: idempotency.recall(tx, once)) == {"message": "m"}
        for other in (Once("key-1", "chat.read", "aa"), Once("key-1", "chat.send", "bb")):
            with pytest.raises(RequestError) as caught:
                await db.write(functools.partial(idempotency.recall, once=other))
            assert caught.value.slug is Slug.IDEMPOTENCY_CONFLICT


class Later:
    ahead = 0.0

    def now(self) -> float:
        return SystemClock().now() + self.ahead

    def monotonic(self) -> float:
        return SystemClock().monotonic()


async def test_idempotency_is_forgotten_after_a_day(tmp_path):
    clock = Later()
    once = Once("key-1", "chat.send", "aa")
    async with Database.open(tmp_path / "peer.db", KEY, clock, Bus()) as db:
        await db.write(lambda tx: idempotency.remember(tx, once, {}))
        clock.ahead = 24 * 3600 + 1
        assert await db.write(lambda tx: idempotency.recall(tx, once)) is None
        again = Once("key-1", "chat.read", "bb")
        await db.write(lambda tx: idempotency.remember(tx, again, {"n": 1}))
        assert await db.write(lambda tx: idempotency.recall(tx, again)) == {"n": 1}
        await db.write(idempotency.forget_old)
        assert await db.read(lambda tx: tx.all("SELECT method FROM idempotency")) == [("chat.read",)]
        clock.ahead += 24 * 3600 + 1
        await db.write(idempotency.forget_old)
        assert await db.read(lambda tx: tx.all("SELECT key FROM idempotency")) == []


async def test_what_was_remembered_while_the_clock_was_years_ahead_is_not_kept_for_years(tmp_path):
    clock = Later()
    async with Database.open(tmp_path / "peer.db", KEY, clock, Bus()) as db:
        clock.ahead = 4 * 365 * 24 * 3600
        await db.write(lambda tx: idempotency.remember(tx, Once("ahead", "chat.send", "aa"), {}))
        clock.ahead = 0.0
        await db.write(lambda tx: idempotency.remember(tx, Once("now", "chat.send", "aa"), {}))
        await db.write(idempotency.forget_old)
        assert await db.read(lambda tx: tx.all("SELECT key FROM idempotency")) == [("now",)]


def test_kill_9_keeps_every_write_that_returned(tmp_path):
    program = textwrap.dedent(
        """
        import sys, trio
        from pathlib import Path
        from kezd.runtime.bus import Bus
        from kezd.runtime.clock import SystemClock
        from kezd.store.database import Database

        async def main():
            async with Database.open(Path(sys.argv[1]), bytes(range(32)), SystemClock(), Bus()) as db:
                async def loop():
                    while True:
                        print(await db.write(lambda tx: tx.emit("message", {})), flush=True)
                async with trio.open_nursery() as nursery:
                    for _ in range(20):
                        nursery.start_soon(loop)

        trio.run(main)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "peer.db")], stdout=subprocess.PIPE, text=True
    ) as process:
        acknowledged = [int(process.stdout.readline()) for _ in range(500)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    connection = database.connect(tmp_path / "peer.db", KEY)
    kept = [row[0] for row in connection.execute("SELECT seq FROM events ORDER BY seq")]
    connection.close()
    assert kept == list(range(1, len(kept) + 1))
    assert set(acknowledged) <= set(kept)


async def test_a_closed_database_answers_instead_of_hanging(tmp_path):
    with trio.fail_after(10):
        async with Database.open(tmp_path / "peer.db", bytes(32), SystemClock(), Bus()) as db:
            await db.read(lambda tx: tx.one("SELECT 1"))
        for call in (db.read, db.write):
            with pytest.raises(StoreError) as closed:
                await call(lambda tx: tx.one("SELECT 1"))
            assert closed.value.slug is Slug.STORE_FAILED
