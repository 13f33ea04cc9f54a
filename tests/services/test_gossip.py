"""What contacts tell of sigchains: forks, rollbacks, unknown keys, and what counts for nothing, on real chains."""

from pathlib import Path

import pytest
import trio

from kezd.kez.heads import SeenHead
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Head, add
from kezd.runtime.settings import ContactsSettings
from kezd.services.contacts import Contacts
from kezd.services.contacts.gossip import Gossip
from kezd.store.contacts import AlarmKind, Standing, load_contact, make_due, set_standing
from kezd.store.heads import HELD_OF_ONE, hold, released, told_head
from kezd.testing.hostile_home import HostileHome, Person
from kezd.testing.profile_services import OpenProfile, ProfileServices

TEST_SECONDS = 30
ME = Person(1)
BOB = "bob"
SERVER = "bad.test"
SETTINGS = ContactsSettings()


class Told:
    """Stands for the identity: what it is told of its own chain."""

    def __init__(self) -> None:
        self.heads: list[tuple[PublicKey, SeenHead]] = []

    def hear(self, teller: PublicKey, seen: SeenHead) -> None:
        self.heads.append((teller, seen))


def seen(person: Person, seq: int | None = None, hash_: str | None = None) -> SeenHead:
    head = person.chain.head
    assert head is not None
    return SeenHead(person.genesis, Head(seq or head.seq, hash_ or head.hash))


async def wait_looked(profile: OpenProfile, home: HostileHome, person: Person, before: int) -> None:
    while home.asked[home.chain_path(person)] <= before:
        await trio.sleep(0.01)
    contact = None
    while contact is None or contact.checked_at is None:
        contact = await profile.db.read(lambda tx: load_contact(tx, person.genesis))


def contacts_of(profile: OpenProfile) -> "Contacts":
    return Contacts.open(  # type: ignore[return-value]
        profile.db, profile.directory, lambda: (ME.genesis, SERVER), profile.clock, SETTINGS
    )


@pytest.mark.parametrize("lies", ["hides", "forks", "catches_up"])
async def test_a_head_that_the_server_does_not_show(tmp_path: Path, lies: str) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with HostileHome.open(SERVER) as home:
            home.registers(bob, BOB)
            home.shows_chain(bob)
            profiles = ProfileServices(tmp_path, home.url, {SERVER: home.url})
            async with profiles.open("me") as me, contacts_of(me) as contacts:  # type: ignore[attr-defined]
                told = Told()
                gossip: Gossip = contacts.gossip(lambda: None, told.hear)
                await contacts.add(f"{BOB}@{SERVER}")
                assert await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, (seen(bob),))) == []
                known = bob.chain
                bob.sign("add", add("github:bob"))
                if lies == "catches_up":
                    home.shows_chain(bob)
                elif lies == "forks":
                    other = Person(2)
                    other.chain = known
                    home.shows_chain(other.sign("add", add("github:mallory")))
                before = home.asked[home.chain_path(bob)]
                await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, (seen(bob),)))
                gossip.look()
                await wait_looked(me, home, bob, before)
                contact = None
                expected = {"hides": AlarmKind.ROLLBACK, "forks": AlarmKind.FORK, "catches_up": None}[lies]
                while contact is None or (contact.alarm and contact.alarm.kind) is not expected:
                    contact = await me.db.read(lambda tx: load_contact(tx, bob.genesis))
                    await trio.sleep(0.01)
                while lies == "catches_up" and await me.db.read(lambda tx: told_head(tx, bob.genesis)):
                    await trio.sleep(0.01)
                assert contact.chain_seq <= 2
                assert told.heads == []


async def test_what_counts_and_what_does_not(tmp_path: Path) -> None:
    bob, carol = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with HostileHome.open(SERVER) as home:
            home.registers(bob, BOB)
            home.shows_chain(bob)
            profiles = ProfileServices(tmp_path, home.url, {SERVER: home.url})
            async with profiles.open("me") as me, contacts_of(me) as contacts:  # type: ignore[attr-defined]
                told = Told()
                gossip: Gossip = contacts.gossip(lambda: None, told.hear)
                await contacts.add(f"{BOB}@{SERVER}")
                ours = SeenHead(ME.genesis, Head(3, "ab" * 32))
                about_carol = (seen(carol, 1, "cd" * 32),)
                assert await me.db.write(lambda tx: gossip.heard(tx, carol.genesis, about_carol)) == []
                assert await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, about_carol)) == []
                found = await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, (ours,)))
                assert found == [ours]
                gossip.told(bob.genesis, found)
                assert told.heads == [(bob.genesis, ours)]

                new = Person(7).genesis
                said = lambda key, *heads: me.db.write(lambda tx: gossip.said_to_be(tx, key, heads))  # noqa: E731
                assert await said(new, seen(bob)) == bob.genesis
                assert await said(new, seen(carol)) is None
                assert await said(bob.genesis, seen(bob)) is None, "it is known already"
                await me.db.write(lambda tx: set_standing(tx, bob.genesis, Standing.BLOCKED))
                assert await said(new, seen(bob)) is None
                assert await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, (ours,))) == []

                await me.db.write(lambda tx: set_standing(tx, bob.genesis, Standing.ACCEPTED))
                wrong = (seen(bob, 1, "ef" * 32),)
                await me.db.write(lambda tx: gossip.heard(tx, bob.genesis, wrong))
                contact = await me.db.read(lambda tx: load_contact(tx, bob.genesis))
                assert contact is not None
                assert contact.alarm is not None
                assert contact.alarm.kind is AlarmKind.FORK


async def test_held_envelopes_are_few_and_wait_for_a_look(tmp_path: Path) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with HostileHome.open(SERVER) as home:
            home.registers(bob, BOB)
            home.shows_chain(bob)
            profiles = ProfileServices(tmp_path, home.url, {SERVER: home.url})
            async with profiles.open("me") as me:
                async with contacts_of(me) as contacts:  # type: ignore[attr-defined]
                    await contacts.add(f"{BOB}@{SERVER}")
                later = me.clock.now() + 3600
                kept = [
                    await me.db.write(lambda tx, n=n: hold(tx, f"{n}", bob.genesis, b"sealed", later))  # type: ignore[misc]
                    for n in range(HELD_OF_ONE + 1)
                ]
                assert kept == [True] * HELD_OF_ONE + [False]
                assert await me.db.read(lambda tx: released(tx, 10)) == []
                await me.db.write(lambda tx: hold(tx, "0", bob.genesis, b"sealed", later))
                await me.db.write(lambda tx: make_due(tx, bob.genesis))
                await me.db.write(
                    lambda tx: tx.execute("UPDATE held_envelopes SET arrived_at = 1 WHERE id = '5'")
                )
                assert [one.id for one in await me.db.read(lambda tx: released(tx, 10))] == ["5"]
