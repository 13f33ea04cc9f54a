"""What every implementation of home's store ports must do; SQLite files now, JetStream later.

A new implementation adds itself to `STORES` and nothing else.
"""

import asyncio  # noqa: TID251 - home is an asyncio process
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from kezd.home.store.ports import (
    NewEvent,
    ProfileStore,
    Record,
    Registered,
    RegistryStore,
    SessionStore,
    SigchainStore,
    StoredHead,
    StoredProfile,
    StoredSession,
    TagKeyStore,
)
from kezd.home.store.registry_sqlite import (
    REGISTRY_MIGRATIONS,
    SqliteProfileStore,
    SqliteRegistryStore,
    SqliteSessionStore,
    SqliteTagKeyStore,
)
from kezd.home.store.sigchain_sqlite import SIGCHAIN_MIGRATIONS, SqliteSigchainStore
from kezd.home.store.sqlite import SqliteFile


@dataclass
class Stores:
    registry: RegistryStore
    sessions: SessionStore
    tag_keys: TagKeyStore
    sigchains: SigchainStore
    profiles: ProfileStore


@asynccontextmanager
async def sqlite_stores(directory):
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(SqliteFile.open(directory / "home.db", REGISTRY_MIGRATIONS))
        chains = await stack.enter_async_context(
            SqliteFile.open(directory / "chains.db", SIGCHAIN_MIGRATIONS)
        )
        yield Stores(
            SqliteRegistryStore(home),
            SqliteSessionStore(home),
            SqliteTagKeyStore(home),
            SqliteSigchainStore(chains),
            SqliteProfileStore(home),
        )


STORES = [sqlite_stores]


@pytest.fixture(params=STORES, ids=lambda opener: opener.__name__)
def run(request, tmp_path):
    """Run a coroutine function with open stores; called again, they are opened again on the same place."""

    def runner(test):
        async def with_stores():
            async with request.param(tmp_path) as stores:
                return await test(stores)

        return asyncio.run(with_stores())

    return runner


def key(number):
    return number.to_bytes(32, "big")


def record(handle="alice", number=1):
    return Record(handle, key(number), b'{"signed":"' + handle.encode() + b'"}', 1_800_000_000)


def event(seq, number=0, current=1):
    return NewEvent(seq, f"{number or seq:064x}", b'{"seq":%d}' % seq, key(current))


def test_a_registered_record_is_found_by_both_keys(run):
    async def test(stores):
        assert await stores.registry.by_handle("alice") is None
        assert await stores.registry.by_primary(key(1)) is None
        assert await stores.registry.register(record()) is Registered.CREATED
        assert await stores.registry.by_handle("alice") == record()
        assert await stores.registry.by_primary(key(1)) == record()
        assert await stores.registry.count() == 1

    run(test)


def test_neither_key_is_given_twice(run):
    async def test(stores):
        await stores.registry.register(record())
        assert await stores.registry.register(record("alice", 2)) is Registered.HANDLE_TAKEN
        assert await stores.registry.register(record("bobby", 1)) is Registered.PRIMARY_TAKEN
        assert await stores.registry.register(record("alice", 1)) is Registered.HANDLE_TAKEN
        assert await stores.registry.by_handle("bobby") is None
        assert await stores.registry.by_primary(key(2)) is None
        assert await stores.registry.count() == 1

    run(test)


def test_of_many_who_want_one_handle_one_gets_it(run):
    async def test(stores):
        answers = await asyncio.gather(*(stores.registry.register(record("alice", n)) for n in range(1, 21)))
        assert answers.count(Registered.CREATED) == 1
        assert answers.count(Registered.HANDLE_TAKEN) == 19

    run(test)


def test_of_many_handles_for_one_key_one_is_given(run):
    async def test(stores):
        answers = await asyncio.gather(*(stores.registry.register(record(f"alice{n}", 1)) for n in range(20)))
        assert answers.count(Registered.CREATED) == 1
        assert answers.count(Registered.PRIMARY_TAKEN) == 19

    run(test)


def test_records_outlive_the_process(run):
    async def write(stores):
        await stores.registry.register(record())

    async def read(stores):
        assert await stores.registry.by_handle("alice") == record()

    run(write)
    run(read)


def test_append_compares_the_head_and_answers_with_it(run):
    async def test(stores):
        chains, genesis = stores.sigchains, key(9)
        assert await chains.head(genesis) is None
        assert await chains.read(genesis) is None
        assert await chains.append(genesis, event(2)) == StoredHead(0, "")
        assert await chains.append(genesis, event(1)) is None
        assert await chains.append(genesis, event(1, number=99)) == StoredHead(1, f"{1:064x}")
        assert await chains.append(genesis, event(3)) == StoredHead(1, f"{1:064x}")
        assert await chains.append(genesis, event(2)) is None
        assert await chains.head(genesis) == StoredHead(2, f"{2:064x}")
        assert await chains.event_hash(genesis, 1) == f"{1:064x}"
        assert await chains.event_hash(genesis, 3) is None
        assert await chains.read(genesis) == (StoredHead(2, f"{2:064x}"), b'{"seq":1}\n{"seq":2}\n')

    run(test)


def test_a_chain_is_read_in_parts(run):
    async def test(stores):
        chains, genesis = stores.sigchains, key(9)
        for seq in range(1, 6):
            await chains.append(genesis, event(seq))
        line = len(b'{"seq":1}\n')
        assert await chains.read_part(genesis, 0, 5, 3 * line) == (b'{"seq":1}\n{"seq":2}\n{"seq":3}\n', 3)
        assert await chains.read_part(genesis, 3, 4, 10 * line) == (b'{"seq":4}\n', 4)
        assert await chains.read_part(genesis, 0, 5, 1) == (b'{"seq":1}\n', 1)

    run(test)


def test_of_many_who_append_at_one_place_one_does(run):
    async def test(stores):
        answers = await asyncio.gather(
            *(stores.sigchains.append(key(9), event(1, number=n)) for n in range(1, 21))
        )
        assert answers.count(None) == 1
        head = await stores.sigchains.head(key(9))
        assert set(answers) == {None, head}

    run(test)


def test_chains_do_not_touch_each_other(run):
    async def test(stores):
        await stores.sigchains.append(key(8), event(1))
        assert await stores.sigchains.head(key(9)) is None

    run(test)


def test_the_current_key_is_found_both_ways(run):
    async def test(stores):
        chains = stores.sigchains
        assert await chains.current_of(key(1)) is None
        await chains.append(key(1), event(1, current=1))
        assert await chains.current_of(key(1)) == key(1)
        assert await chains.genesis_of(key(1)) is None, "no chain was rotated to it"
        await chains.append(key(1), event(2, current=7))
        assert await chains.current_of(key(1)) == key(7)
        assert await chains.genesis_of(key(7)) == key(1)
        await chains.append(key(2), event(1, current=7))
        assert await chains.genesis_of(key(7)) is None, "claimed by two chains: it speaks for neither"

    run(test)


def test_sessions_advance_one_generation_at_a_time(run):
    async def test(stores):
        sessions = stores.sessions
        assert await sessions.current(key(1)) is None
        assert not await sessions.advance(key(1), StoredSession(2, "b"))
        assert await sessions.advance(key(1), StoredSession(1, "a"))
        assert not await sessions.advance(key(1), StoredSession(1, "b"))
        assert await sessions.advance(key(1), StoredSession(2, "b"))
        assert not await sessions.advance(key(1), StoredSession(2, "c"))
        assert await sessions.current(key(1)) == StoredSession(2, "b")
        assert await sessions.current(key(2)) is None

    run(test)


def test_of_many_takeovers_one_wins(run):
    async def test(stores):
        await stores.sessions.advance(key(1), StoredSession(1, "a"))
        takers = [stores.sessions.advance(key(1), StoredSession(2, f"taker{n}")) for n in range(20)]
        assert (await asyncio.gather(*takers)).count(True) == 1

    run(test)


def test_the_first_key_of_a_day_stays(run):
    async def write(stores):
        assert await stores.tag_keys.keep(20, key(1)) == key(1)
        assert await stores.tag_keys.keep(20, key(2)) == key(1)
        assert await stores.tag_keys.keep(21, key(3)) == key(3)

    async def read(stores):
        assert await stores.tag_keys.days() == {20: key(1), 21: key(3)}
        await stores.tag_keys.forget_before(21)
        assert await stores.tag_keys.days() == {21: key(3)}

    run(write)
    run(read)


def profile(created_at, *subjects):
    return StoredProfile(f"{created_at}{subjects}".encode(), created_at, subjects)


def test_the_newest_profile_counts_and_is_found_by_its_subjects(run):
    async def test(stores):
        for number, name in enumerate(("alice", "bobby"), 1):
            await stores.registry.register(record(name, number))
        assert await stores.profiles.get("alice") is None
        assert (await stores.registry.by_handle("alice")).proofs == b"[]"
        first, second = profile(10, "dns:a.test", "github:alice"), profile(20, "github:alice")
        assert await stores.profiles.put("alice", first)
        assert await stores.profiles.put("alice", first), "the same again"
        assert (await stores.registry.by_handle("alice")).proofs == b'["dns:a.test","github:alice"]'
        assert await stores.profiles.put("alice", second)
        assert not await stores.profiles.put("alice", profile(20, "dns:other.test"))
        assert not await stores.profiles.put("alice", first)
        assert await stores.profiles.get("alice") == second
        assert (await stores.registry.by_primary(key(1))).proofs == b'["github:alice"]'
        assert await stores.profiles.by_subject("dns:a.test", 16) == []
        await stores.profiles.put("bobby", profile(5, "github:alice"))
        assert await stores.profiles.by_subject("github:alice", 16) == ["alice", "bobby"]
        assert await stores.profiles.by_subject("github:alice", 1) == ["alice"]

    run(test)
