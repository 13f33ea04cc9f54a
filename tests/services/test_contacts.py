"""Finding people, trusting on first use, and alarms that only the person takes away."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from kezd.errors import KezdError, RequestError, Slug
from kezd.kez.handles import Handle
from kezd.kez.sigchain import add, encode_jsonl
from kezd.net.home import HomeClient
from kezd.runtime.bus import Bus
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import ContactsSettings
from kezd.services.contacts import Contacts
from kezd.store.contacts import Standing, count_contacts
from kezd.store.database import Database, Transaction
from kezd.testing.home_driver import HomeProcess
from kezd.testing.hostile_home import LONG_AGO, HostileHome, Page, Person
from kezd.testing.ports import free_port
from kezd.testing.profile_services import OpenProfile, ProfileServices

TEST_SECONDS = 60
ME = Person(1)
SETTINGS = ContactsSettings()


class World:
    """A contacts service, and the hostile home of `evil.test` that it asks."""

    def __init__(self, db: Database, contacts: Contacts, home: HostileHome) -> None:
        self.db = db
        self.contacts = contacts
        self.home = home

    async def slug(self, call: Callable[..., Awaitable[Any]], *args: Any) -> Slug:
        with pytest.raises(KezdError) as caught:
            await call(*args)
        return caught.value.slug

    async def route_slug(self, person: Person) -> Slug:
        return await self.slug(self.db.read, lambda tx: self.contacts.route(tx, person.genesis))

    async def route(self, person: Person) -> Any:
        return await self.db.read(lambda tx: self.contacts.route(tx, person.genesis))

    async def events(self) -> list[str]:
        rows = await self.db.read(
            lambda tx: tx.all("SELECT body FROM events WHERE topic = 'contact' ORDER BY seq")
        )
        return [json.loads(row[0])["type"] for row in rows]

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a committed event after which the condition holds."""
        with self.db.bus.subscribe(["contact"]) as subscription:
            while not await condition():
                assert await subscription.receive_batch()


@asynccontextmanager
async def world(
    folder: Path,
    settings: ContactsSettings = SETTINGS,
    own_server: str | None = "evil.test",
    seconds: float = 15.0,
) -> AsyncIterator[World]:
    async with (
        HostileHome.open("evil.test") as home,
        open_contacts(folder, home, settings, own_server, seconds) as opened,
    ):
        yield opened


@asynccontextmanager
async def open_contacts(
    folder: Path, home: HostileHome, settings: ContactsSettings, own_server: str | None, seconds: float
) -> AsyncIterator[World]:
    clock = SystemClock()

    def base_url(server: str) -> str:
        return home.url if server == home.server else f"https://{server}"

    async with (
        HomeClient.open(base_url, version="test", seconds=seconds) as client,
        Database.open(folder / "peer.db", b"k" * 32, clock, Bus()) as db,
        Contacts.open(db, client, lambda: (ME.genesis, own_server), clock, settings) as contacts,
    ):
        yield World(db, contacts, home)


async def enrolled(profile: OpenProfile, name: str) -> None:
    made = await profile.identity.create(24, None, False)
    await profile.identity.confirm({place: made.words[place - 1] for place in made.ask})
    await profile.identity.register(name, None)


def contacts_of(profile: OpenProfile) -> Any:
    own = lambda: (profile.identity.primary, profile.identity.server)  # noqa: E731
    return Contacts.open(profile.db, profile.directory, own, profile.clock, SETTINGS)


async def test_two_people_add_each_other_on_a_real_home(profiles: ProfileServices) -> None:
    alice_name, bob_name = ("c" + secrets.token_hex(6) for _ in range(2))
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice, profiles.open("bob") as bob:
            await enrolled(alice, alice_name)
            await enrolled(bob, bob_name)
            async with contacts_of(alice) as of_alice, contacts_of(bob) as of_bob:
                seen = await of_alice.add(f"@{bob_name}")
                assert seen.handle == f"{bob_name}@kez.test"
                assert (seen.state, seen.chain_seq, seen.alarm) == ("accepted", 2, None)
                assert await of_alice.add(f"{bob_name}@kez.test") == await of_alice.show(bob_name)
                back = await of_bob.add(alice_name)
                assert len(back.safety_words) == 12
                assert back.safety_words == seen.safety_words
                bobs = (await bob.identity.wait_active()).primary
                assert await alice.db.read(lambda tx: of_alice.named(tx, bob_name)) == bobs
                assert await alice.db.read(lambda tx: of_alice.named(tx, bobs.primary)) == bobs
                route = await alice.db.read(lambda tx: of_alice.route(tx, bobs))
                assert (route.recipient, route.inbox, route.device) == (bobs, f"kez.inbox.{bobs.hex}", "0")
                assert route.nats_url == (await bob.identity.wait_active()).nats_url
                assert route.accepts == (2,)
                for wrong, slug in (
                    (alice_name, Slug.INVALID_ARGUMENT),
                    ("nobody-here", Slug.NOT_FOUND),
                    ("x", Slug.INVALID_ARGUMENT),
                ):
                    with pytest.raises(RequestError) as caught:
                        await of_alice.add(wrong)
                    assert caught.value.slug is slug
                refreshed = await of_alice.refresh(bob_name)
                assert refreshed.checked_at >= seen.checked_at


async def test_a_contact_on_another_home(tmp_path: Path, home: HomeProcess, other_home: HomeProcess) -> None:
    servers = {"kez.test": home.url, "other.test": other_home.url}
    alice_name, bob_name = ("c" + secrets.token_hex(6) for _ in range(2))
    with trio.fail_after(TEST_SECONDS):
        async with (
            ProfileServices(tmp_path / "a", home.url, servers).open("alice") as alice,
            ProfileServices(tmp_path / "b", other_home.url, servers).open("bob") as bob,
        ):
            await enrolled(alice, alice_name)
            await enrolled(bob, bob_name)
            async with contacts_of(alice) as of_alice:
                seen = await of_alice.add(f"{bob_name}@other.test")
                assert seen.handle == f"{bob_name}@other.test"
                route = await alice.db.read(lambda tx: of_alice.route(tx, bob.identity.primary))
                assert route.nats_url == other_home.nats_url
                with pytest.raises(RequestError):
                    await of_alice.add(f"{alice_name}@other.test")


async def test_a_stranger_is_a_request_and_gets_a_name(tmp_path: Path) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            sender = await w.db.write(lambda tx: w.contacts.sender(tx, bob.genesis))
            assert (sender.genesis, sender.handle, sender.state) == (bob.genesis, None, "request")
            assert await w.db.read(lambda tx: count_contacts(tx, Standing.REQUEST)) == 1
            assert await w.route_slug(bob) is Slug.REQUEST_PENDING

            async def named() -> bool:
                return (await w.contacts.show(bob.genesis.primary)).handle == "bobby@evil.test"

            w.contacts.wants_lookup(bob.genesis)
            await w.until(named)
            assert (await w.contacts.accept("bobby")).state == "accepted"
            assert (await w.route(bob)).recipient == bob.genesis
            again = await w.db.write(lambda tx: w.contacts.sender(tx, bob.genesis))
            assert (again.handle, again.state) == ("bobby@evil.test", "accepted")
            assert await w.events() == ["request", "changed", "changed"]
            assert (await w.contacts.block("bobby")).state == "blocked"
            assert await w.route_slug(bob) is Slug.BLOCKED
            assert await w.db.read(lambda tx: w.contacts.known(tx, Person(9).genesis)) is None


async def test_an_unknown_stranger_stays_nameless_and_can_be_added_later(tmp_path: Path) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await w.db.write(lambda tx: w.contacts.sender(tx, bob.genesis))
            w.contacts.wants_lookup(bob.genesis)
            path = f"/v1/by-primary/{bob.genesis.primary}"
            while not w.home.asked[path]:
                await trio.sleep(0.01)
            accepted = await w.contacts.accept(bob.genesis.primary)
            assert (accepted.handle, accepted.state) == (None, "accepted")
            assert await w.route_slug(bob) is Slug.NO_COMMON_VERSION
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            assert (await w.contacts.add("bobby")).genesis == bob.genesis.primary
            assert await w.route(bob)


async def test_an_add_can_be_tried_without_being_kept(tmp_path: Path) -> None:
    bob, other = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            with pytest.raises(KezdError) as unknown:
                await w.contacts.add("bobby", dry_run=True)
            assert unknown.value.slug is Slug.NOT_FOUND
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            tried = await w.contacts.add("bobby", dry_run=True)
            assert (tried.genesis, tried.state) == (bob.genesis.primary, "accepted")
            assert (await w.contacts.list(10, None)).items == []
            assert await w.events() == []
            added = await w.contacts.add("bobby")
            assert (await w.contacts.add("bobby", dry_run=True)).genesis == added.genesis
            w.home.registers(other, "bobby")
            w.home.shows_chain(other)
            with pytest.raises(KezdError) as alarmed:
                await w.contacts.add("bobby")
            assert (alarmed.value.slug, alarmed.value.changed) == (Slug.KEY_CHANGED, True)


async def test_lists_are_in_order_and_paged(tmp_path: Path) -> None:
    people = [Person(number).with_inbox() for number in range(2, 9)]
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path, own_server=None) as w:
            for number, person in enumerate(people[:5]):
                w.home.registers(person, f"name{number}")
                w.home.shows_chain(person)
            for number in (3, 1, 4, 0, 2):
                await w.contacts.add(f"name{number}@evil.test")
            for person in people[5:]:
                await w.db.write(lambda tx, key=person.genesis: w.contacts.sender(tx, key))
            found, cursor = [], None
            while True:
                page = await w.contacts.list(3, cursor)
                found += [contact.handle for contact in page.items]
                if (cursor := page.next_cursor) is None:
                    break
            assert found == [f"name{number}@evil.test" for number in range(5)] + [None, None]
            assert await w.slug(w.contacts.show, "name0") is Slug.NOT_A_CONTACT  # no server of ours to imply
            assert (
                await w.slug(w.db.read, lambda tx: w.contacts.named(tx, "ed25519:nonsense"))
                is Slug.NOT_A_CONTACT
            )
            assert await w.slug(w.db.read, lambda tx: w.contacts.route(tx, ME.genesis)) is Slug.NOT_A_CONTACT


async def alarmed(w: World, first: Person, second: Person) -> None:
    """`bobby` was first's when he was added, and is second's now."""
    w.home.registers(first, "bobby")
    w.home.shows_chain(first)
    await w.contacts.add("bobby")
    w.home.registers(second, "bobby")
    w.home.shows_chain(second)
    assert await w.slug(w.contacts.add, "bobby") is Slug.KEY_CHANGED


async def test_a_changed_key_stops_sending_until_the_new_one_is_trusted(tmp_path: Path) -> None:
    first, second = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await alarmed(w, first, second)
            assert await w.route_slug(first) is Slug.KEY_CHANGED
            shown = await w.contacts.refresh("bobby")
            assert shown.alarm is not None
            assert (shown.alarm.kind, shown.alarm.new_primary) == ("key_changed", second.genesis.primary)
            assert shown.genesis == first.genesis.primary
            assert await w.slug(w.contacts.add, "bobby") is Slug.KEY_CHANGED
            assert (await w.events()).count("alarm") == 1
            trusted = await w.contacts.decide("bobby", "trust_new", second.genesis.primary)
            assert (trusted.genesis, trusted.handle, trusted.alarm) == (
                second.genesis.primary,
                "bobby@evil.test",
                None,
            )
            assert await w.db.read(lambda tx: w.contacts.named(tx, "bobby")) == second.genesis
            old = await w.contacts.show(first.genesis.primary)
            assert (old.handle, old.alarm, old.state) == (None, None, "accepted")
            assert (await w.route(second)).recipient == second.genesis
            assert (await w.events())[-2:] == ["changed", "decided"]
            assert await w.contacts.decide("bobby", "trust_new", second.genesis.primary) == trusted
            # The server flips back: that is a change again.
            w.home.registers(first, "bobby")
            assert await w.slug(w.contacts.add, "bobby") is Slug.KEY_CHANGED


async def test_a_refused_key_does_not_alarm_again_and_another_one_does(tmp_path: Path) -> None:
    first, second, third = (Person(number).with_inbox() for number in (2, 3, 4))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await alarmed(w, first, second)
            kept = await w.contacts.decide("bobby", "keep_old")
            assert (kept.genesis, kept.alarm) == (first.genesis.primary, None)
            assert (await w.route(first)).recipient == first.genesis
            assert (await w.contacts.refresh("bobby")).alarm is None
            assert (await w.contacts.add("bobby")).genesis == first.genesis.primary
            w.home.registers(third, "bobby")
            w.home.shows_chain(third)
            assert await w.slug(w.contacts.add, "bobby") is Slug.KEY_CHANGED


async def test_the_key_that_was_decided_about_must_be_the_one_that_is_there(tmp_path: Path) -> None:
    first, second, third = (Person(number).with_inbox() for number in (2, 3, 4))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await alarmed(w, first, second)
            w.home.registers(third, "bobby")
            w.home.shows_chain(third)
            assert (
                await w.slug(w.contacts.decide, "bobby", "trust_new", second.genesis.primary)
                is Slug.KEY_CHANGED
            )
            shown = await w.contacts.show("bobby")
            assert shown.alarm is not None
            assert shown.alarm.new_primary == third.genesis.primary
            assert (
                await w.contacts.decide("bobby", "trust_new", third.genesis.primary)
            ).genesis == third.genesis.primary


async def test_a_stranger_with_a_contacts_handle_alarms_the_contact(tmp_path: Path) -> None:
    first, second = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(first, "bobby")
            w.home.shows_chain(first)
            await w.contacts.add("bobby")
            w.home.registers(second, "bobby")
            w.home.shows_chain(second)
            await w.db.write(lambda tx: w.contacts.sender(tx, second.genesis))
            w.contacts.wants_lookup(second.genesis)

            async def alarm() -> bool:
                return (await w.contacts.show("bobby")).alarm is not None

            await w.until(alarm)
            assert (await w.contacts.show(second.genesis.primary)).handle is None
            trusted = await w.contacts.decide("bobby", "trust_new", second.genesis.primary)
            assert (trusted.genesis, trusted.state) == (second.genesis.primary, "accepted")


Show = Callable[[HostileHome, Person], None]


def _forked(home: HostileHome, person: Person) -> None:
    home.shows_chain(person, Person(2).sign("add", add("github:mallory")).with_inbox().chain)


def _shortened(home: HostileHome, person: Person) -> None:
    home.shows_chain(person, Person(2).with_inbox().chain)


def _emptied(home: HostileHome, person: Person) -> None:
    del home.pages[home.chain_path(person)]


def _broken(home: HostileHome, person: Person) -> None:
    home.pages[home.chain_path(person)] = Page(
        200, encode_jsonl(person.chain).replace(b"github:bob", b"github:eve")
    )


def _somebody_elses(home: HostileHome, person: Person) -> None:
    home.shows_chain(person, Person(7).with_inbox().chain)


@pytest.mark.parametrize(
    ("show", "kind", "slug"),
    [
        (_forked, "fork", Slug.CHAIN_FORK),
        (_shortened, "rollback", Slug.CHAIN_ROLLBACK),
        (_emptied, "rollback", Slug.CHAIN_ROLLBACK),
        (_broken, "chain_invalid", Slug.CHAIN_INVALID),
        (_somebody_elses, "chain_invalid", Slug.CHAIN_INVALID),
    ],
)
async def test_a_chain_that_contradicts_what_was_seen_is_an_alarm(
    tmp_path: Path, show: Show, kind: str, slug: Slug
) -> None:
    bob = Person(2).with_inbox().sign("add", add("github:bob"))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            added = await w.contacts.add("bobby")
            show(w.home, bob)
            shown = await w.contacts.refresh("bobby")
            assert shown.alarm is not None
            assert (shown.alarm.kind, shown.alarm.new_primary) == (kind, None)
            assert (shown.chain_seq, shown.primary) == (added.chain_seq, added.primary)
            assert await w.route_slug(bob) is slug
            # The honest chain again: the alarm stays, the person has to know.
            w.home.shows_chain(bob)
            assert (await w.contacts.refresh("bobby")).alarm is not None
            show(w.home, bob)
            assert (await w.contacts.decide("bobby", "keep_old")).alarm is None
            assert await w.route(bob)
            assert (await w.contacts.refresh("bobby")).alarm is None
            assert (await w.events()).count("alarm") == 1


async def test_after_a_fork_the_servers_chain_can_be_trusted(tmp_path: Path) -> None:
    bob = Person(2).with_inbox().sign("add", add("github:bob"))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")
            _forked(w.home, bob)
            assert (await w.contacts.refresh("bobby")).alarm is not None
            trusted = await w.contacts.decide("bobby", "trust_new")
            assert trusted.alarm is None
            assert await w.route(bob)
            assert (await w.contacts.refresh("bobby")).alarm is None
            w.home.shows_chain(bob)
            assert (await w.contacts.refresh("bobby")).alarm is not None


async def test_a_chain_goes_on_and_a_rotated_key_stays_the_same_contact(tmp_path: Path) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            added = await w.contacts.add("bobby")
            now = int(SystemClock().now())
            bob.rotate_to(20, at=now).with_inbox("nats://127.0.0.1:4333")
            w.home.shows_chain(bob)
            shown = await w.contacts.refresh("bobby")
            assert (shown.genesis, shown.primary) == (added.genesis, bob.signer.public.primary)
            assert (shown.alarm, shown.chain_seq) == (None, 3)
            assert shown.safety_words != added.safety_words
            route = await w.route(bob)
            assert (route.genesis, route.recipient) == (bob.genesis, bob.signer.public)
            for key in (bob.genesis, bob.signer.public):
                sender = await w.db.write(lambda tx, key=key: w.contacts.sender(tx, key))
                assert (sender.genesis, sender.state) == (bob.genesis, "accepted")
            assert await w.db.read(lambda tx: w.contacts.named(tx, bob.signer.public.primary)) == bob.genesis


async def test_whoever_has_a_contacts_old_key_does_not_become_that_contact(tmp_path: Path) -> None:
    alicia = Person(2).with_inbox().rotate_to(20)
    thief = Person(3).with_inbox().rotate_to(2)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            for person, number, name in ((alicia, 2, "alicia"), (thief, 3, "mallory")):
                w.home.registers(Person(number), name)
                w.home.shows_chain(person)
                await w.contacts.add(name)
            named = partial(w.contacts.named, name=alicia.genesis.primary)
            assert await w.db.read(named) == alicia.genesis
            sender = await w.db.write(lambda tx: w.contacts.sender(tx, alicia.genesis))
            assert (sender.genesis, sender.state) == (alicia.genesis, "blocked")


async def test_a_key_that_a_chain_had_and_has_no_more_may_still_write(tmp_path: Path) -> None:
    other = Person(4)
    longer, shorter = Person(3).with_inbox().rotate_to(4), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await w.db.write(lambda tx: w.contacts.sender(tx, other.genesis))
            w.home.registers(shorter, "mallory")
            w.home.shows_chain(longer)
            await w.contacts.add("mallory")
            sender = await w.db.write(lambda tx: w.contacts.sender(tx, other.genesis))
            assert sender.genesis == longer.genesis
            w.home.shows_chain(shorter)
            await w.contacts.refresh("mallory")
            await w.contacts.decide("mallory", "trust_new")
            for _ in range(2):
                sender = await w.db.write(lambda tx: w.contacts.sender(tx, other.genesis))
                assert (sender.genesis, sender.state) == (other.genesis, "request")


async def test_a_key_that_retired_long_ago_speaks_for_nobody(tmp_path: Path) -> None:
    bob = Person(2).with_inbox().rotate_to(20, at=LONG_AGO)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(Person(2), "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")
            sender = await w.db.write(lambda tx: w.contacts.sender(tx, bob.genesis))
            assert (sender.genesis, sender.state) == (bob.genesis, "blocked")
            own = await w.db.write(lambda tx: w.contacts.sender(tx, ME.genesis))
            assert own.state == "blocked"


async def test_an_inbox_that_reads_no_version_of_ours(tmp_path: Path) -> None:
    bob = Person(2).with_inbox(accepts=(9,))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")
            assert await w.route_slug(bob) is Slug.NO_COMMON_VERSION


@pytest.mark.parametrize(
    ("changed", "slug"),
    [
        ({"registration": Person(3).registration(Handle("bobby", "evil.test")).to_value()}, Slug.HOME_LIED),
        ({"registration": Person(2).registration(Handle("other", "evil.test")).to_value()}, Slug.HOME_LIED),
        ({"registration": Person(2).registration(Handle("bobby", "kez.lat")).to_value()}, Slug.HOME_LIED),
        ({"primary": Person(3).genesis.primary}, Slug.HOME_LIED),
        ({"fqhn": "bobby@kez.lat"}, Slug.HOME_LIED),
        ({"fqhn": "robert@evil.test"}, Slug.HOME_LIED),
        ({"registration": None}, Slug.HOME_LIED),
        ({"sigchain_url": "https://evil.test/v1/sigchains/ed25519/" + Person(3).genesis.hex}, Slug.HOME_LIED),
        ({"sigchain_url": "http://evil.test/v1/sigchains/ed25519/" + Person(2).genesis.hex}, Slug.HOME_LIED),
    ],
)  # fmt: skip
async def test_a_record_that_does_not_hold_makes_no_contact(
    tmp_path: Path, changed: dict[str, Any], slug: Slug
) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby", **changed)
            w.home.shows_chain(bob)
            assert await w.slug(w.contacts.add, "bobby") is slug
            assert (await w.contacts.list(10, None)).items == []


async def test_a_forged_record_raises_no_alarm(tmp_path: Path) -> None:
    """A home alone cannot make two people suspicious of each other: a change needs the new key's signature."""
    bob, mallory = Person(2).with_inbox(), Person(3)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")
            forged = bob.registration(Handle("bobby", "evil.test")).to_value()
            forged["payload"]["primary"] = forged["signature"]["key"] = mallory.genesis.primary
            w.home.registers(mallory, "bobby", registration=forged)
            assert await w.slug(w.contacts.refresh, "bobby") is Slug.HOME_LIED
            assert (await w.contacts.show("bobby")).alarm is None


async def test_the_watch_finds_an_alarm_by_itself_and_survives_a_home_that_is_away(tmp_path: Path) -> None:
    bob = Person(2).with_inbox().sign("add", add("github:bob"))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path, ContactsSettings(recheck_s=0.05)) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")
            chain = w.home.pages.pop(w.home.chain_path(bob))
            w.home.pages[w.home.chain_path(bob)] = Page(503, b"{}")
            asked = w.home.asked[w.home.chain_path(bob)]
            while w.home.asked[w.home.chain_path(bob)] < asked + 3:
                await trio.sleep(0.02)
            assert (await w.contacts.show("bobby")).alarm is None
            w.home.pages[w.home.chain_path(bob)] = chain
            _forked(w.home, bob)

            async def alarm() -> bool:
                return (await w.contacts.show("bobby")).alarm is not None

            await w.until(alarm)
            assert await w.route_slug(bob) is Slug.CHAIN_FORK


async def test_what_the_servers_say_when_they_say_nothing(tmp_path: Path) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path, seconds=0.3) as w:
            assert await w.slug(w.contacts.add, "bobby") is Slug.NOT_FOUND
            w.home.hang = True
            assert await w.slug(w.contacts.add, "bobby") is Slug.HOME_UNREACHABLE
            w.home.hang = False
            assert await w.slug(w.contacts.add, f"bobby@localhost:{free_port()}") is Slug.HOME_UNREACHABLE
            assert await w.slug(w.contacts.refresh, "bobby") is Slug.NOT_A_CONTACT


async def test_route_and_sender_are_cheap(tmp_path: Path) -> None:
    """Called for every message: no verification, no growth with the chain. A generous bound, not a benchmark."""
    bob = Person(2).with_inbox()
    for number in range(40):
        bob.sign("add", add(f"github:bob-{number}"))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            await w.contacts.add("bobby")

            def many(tx: Transaction) -> float:
                began = trio_clock()
                for _ in range(1000):
                    w.contacts.route(tx, bob.genesis)
                    w.contacts.sender(tx, bob.genesis)
                return trio_clock() - began

            assert await w.db.write(many) < 1.0


def trio_clock() -> float:
    return SystemClock().monotonic()
