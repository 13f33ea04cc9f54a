"""The tables of identity, chains and contacts: what goes in comes out, and what is unique stays so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from kezd.errors import StoreError
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import add
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.store import contacts, sigchains
from kezd.store.contacts import AlarmKind, ChainFacts, Standing
from kezd.store.database import Database, Transaction
from kezd.store.identity import IdentityState, StoredIdentity, load_identity, save_identity
from kezd.testing.hostile_home import Person

A, B, C = (Person(number) for number in (2, 3, 4))
TEST_SECONDS = 20

ROW = StoredIdentity(
    genesis=A.genesis,
    state=IdentityState.UNCONFIRMED,
    asked=(3, 7, 20),
    installation_id="ab" * 16,
    takeover=False,
    restored_at=None,
    name=None,
    server=None,
    home_url=None,
    registration=None,
    registered_at=None,
    sigchain_url=None,
    superseded_reason=None,
    created_at=1.5,
)


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Database]:
    with trio.fail_after(TEST_SECONDS):
        async with Database.open(folder / "peer.db", b"k" * 32, SystemClock(), Bus()) as db:
            yield db


def facts(current: PublicKey, *retired: tuple[PublicKey, int]) -> ChainFacts:
    return ChainFacts(current, ((current, None), *retired), 1, "head", "nats://x:1", "kez.inbox.x", (2, 3))


async def test_the_identity_is_one_row(tmp_path: Path) -> None:
    async with database(tmp_path) as db:
        assert await db.read(load_identity) is None
        await db.write(lambda tx: save_identity(tx, ROW))
        assert await db.read(load_identity) == ROW
        full = replace(
            ROW,
            state=IdentityState.SUPERSEDED,
            takeover=True,
            restored_at=2.5,
            name="alice",
            server="kez.test",
            home_url="https://kez.test",
            registration=b"{}",
            registered_at=7,
            sigchain_url="https://kez.test/v1",
            superseded_reason="another",
        )
        await db.write(lambda tx: save_identity(tx, full))
        assert await db.read(load_identity) == full


async def test_a_pending_event_is_never_overwritten(tmp_path: Path) -> None:
    one, two = Person(2).sign("add", add("github:one")), Person(2).sign("add", add("github:two"))
    key = one.genesis
    async with database(tmp_path) as db:
        await db.write(lambda tx: sigchains.add_pending(tx, key, one.chain.events[0]))
        with pytest.raises(StoreError):
            await db.write(lambda tx: sigchains.add_pending(tx, key, two.chain.events[0]))
        assert await db.read(lambda tx: sigchains.load_pending(tx, key)) == one.chain.events[0].encoded
        assert await db.read(lambda tx: sigchains.load_jsonl(tx, key)) == b""
        await db.write(lambda tx: sigchains.apply_pending(tx, key))
        assert await db.read(lambda tx: sigchains.load_pending(tx, key)) is None
        assert await db.read(lambda tx: sigchains.load_jsonl(tx, key)) == one.chain.events[0].encoded + b"\n"


async def test_a_longer_chain_takes_the_place_of_what_was_pending(tmp_path: Path) -> None:
    mine = Person(2).sign("add", add("github:mine"))
    theirs = Person(2).sign("add", add("github:theirs")).sign("add", add("github:more"))
    key = mine.genesis
    async with database(tmp_path) as db:
        await db.write(lambda tx: sigchains.add_pending(tx, key, mine.chain.events[0]))
        await db.write(lambda tx: sigchains.replace_events(tx, key, theirs.chain.events))
        assert await db.read(lambda tx: sigchains.load_pending(tx, key)) is None
        lines = (await db.read(lambda tx: sigchains.load_jsonl(tx, key))).splitlines()
        assert lines == [event.encoded for event in theirs.chain.events]
        await db.write(lambda tx: sigchains.replace_events(tx, key, mine.chain.events))
        assert (await db.read(lambda tx: sigchains.load_jsonl(tx, key))).splitlines() == [
            mine.chain.events[0].encoded
        ]


async def test_a_contact_comes_back_whole(tmp_path: Path) -> None:
    def make(tx: Transaction) -> None:
        contacts.add_contact(tx, A.genesis, Standing.REQUEST, 5.0)
        contacts.set_handle(tx, A.genesis, "alice@kez.test", b"{}")
        contacts.keep_facts(tx, A.genesis, facts(B.genesis, (A.genesis, 99)), "https://x/chain", '"tag"')
        contacts.set_standing(tx, A.genesis, Standing.ACCEPTED)
        contacts.set_alarm(tx, A.genesis, AlarmKind.FORK, "two heads", "3:ab")

    async with database(tmp_path) as db:
        await db.write(make)
        found = await db.read(lambda tx: contacts.contact_by_handle(tx, "alice@kez.test"))
        assert found is not None
        assert found == await db.read(lambda tx: contacts.load_contact(tx, A.genesis))
        assert (found.current, found.accepts, found.state) == (B.genesis, (2, 3), Standing.ACCEPTED)
        assert found.alarm is not None
        assert (found.alarm.kind, found.alarm.about) == (AlarmKind.FORK, "3:ab")
        for key, retired in ((A.genesis, 99), (B.genesis, None)):
            known = await db.read(lambda tx, key=key: contacts.find_key(tx, key))
            assert known is not None
            assert (known.genesis, known.retired_at) == (A.genesis, retired)
        assert await db.read(lambda tx: contacts.find_key(tx, C.genesis)) is None


async def test_a_handle_belongs_to_one_contact(tmp_path: Path) -> None:
    async with database(tmp_path) as db:
        for person in (A, B):
            await db.write(
                lambda tx, key=person.genesis: contacts.add_contact(tx, key, Standing.ACCEPTED, 0.0)
            )
        await db.write(lambda tx: contacts.set_handle(tx, A.genesis, "alice@kez.test", None))
        with pytest.raises(StoreError):
            await db.write(lambda tx: contacts.set_handle(tx, B.genesis, "alice@kez.test", None))


async def test_what_was_refused_does_not_alarm(tmp_path: Path) -> None:
    async with database(tmp_path) as db:
        await db.write(lambda tx: contacts.add_contact(tx, A.genesis, Standing.ACCEPTED, 0.0))

        async def alarm(about: str) -> bool:
            return await db.write(
                lambda tx: contacts.set_alarm(tx, A.genesis, AlarmKind.KEY_CHANGED, "x", about)
            )

        assert await alarm("one")
        assert not await alarm("one")
        await db.write(lambda tx: contacts.refuse(tx, A.genesis, ["one"]))
        await db.write(lambda tx: contacts.clear_alarm(tx, A.genesis))
        assert not await alarm("one")
        assert await alarm("two")
        assert not await db.write(lambda tx: contacts.set_alarm(tx, B.genesis, AlarmKind.FORK, "nobody", "x"))


async def test_who_is_due(tmp_path: Path) -> None:
    async with database(tmp_path) as db:
        assert await db.read(contacts.next_due) is None
        for person, due in ((A, 30.0), (B, 10.0), (C, 20.0)):
            await db.write(
                lambda tx, key=person.genesis, due=due: contacts.add_contact(tx, key, Standing.ACCEPTED, due)
            )
        await db.write(lambda tx: contacts.set_standing(tx, C.genesis, Standing.BLOCKED))
        assert await db.read(contacts.next_due) == 10.0
        due = await db.read(lambda tx: contacts.due_contacts(tx, 40.0, 10))
        assert [contact.genesis for contact in due] == [B.genesis, A.genesis]
        await db.write(lambda tx: contacts.note_check(tx, B.genesis, 50.0, reached=False))
        failed = await db.read(lambda tx: contacts.load_contact(tx, B.genesis))
        assert failed is not None
        assert (failed.failures, failed.checked_at) == (1, None)
        await db.write(lambda tx: contacts.note_check(tx, B.genesis, 60.0, reached=True))
        reached = await db.read(lambda tx: contacts.load_contact(tx, B.genesis))
        assert reached is not None
        assert reached.failures == 0
        assert reached.checked_at is not None
        assert await db.read(lambda tx: contacts.count_contacts(tx, Standing.ACCEPTED)) == 2
        await db.write(lambda tx: contacts.make_due(tx, A.genesis))
        assert await db.read(contacts.next_due) == 60.0
