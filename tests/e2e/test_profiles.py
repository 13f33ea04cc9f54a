"""Two identities in one daemon are two people: nothing of one is seen in the other, and neither waits for the other."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError, Slug
from kezd.testing.people import Person, World, elapsed_at_most, wait_until

Json = dict[str, Any]


def agreeing(owner: Person, profile: str = "default") -> Client:
    """A connection of somebody who says yes when they are asked."""
    client = owner.peer.client(profile=profile, timeout=30)
    client.decide = lambda _: True
    return client


class Profiled(Person):
    """Somebody who is one profile of a peer."""

    def __init__(self, name: str, owner: Person) -> None:
        super().__init__(name, owner.peer)
        self._own = agreeing(owner, name)

    def call(self, method: str, **params: Any) -> Json:
        return self._own.call(method, **params)

    def hang_up(self) -> None:
        self._own.close()


@contextmanager
def profiles(owner: Person, *names: str) -> Iterator[list[Profiled]]:
    """These profiles of a peer, made if they are missing."""
    there = {item["name"] for item in owner.call("profiles.list")["items"]}
    for name in names:
        if name not in there:
            assert owner.call("profiles.create", name=name)["state"] == "empty"
    people = [Profiled(name, owner) for name in names]
    try:
        yield people
    finally:
        for person in people:
            person.hang_up()


def remove(owner: Person, name: str, *, force: bool = False) -> None:
    with agreeing(owner) as client:
        client.call("profiles.remove", name=name, force=force)


def refused(person: Person, method: str, **params: Any) -> KezdError:
    with pytest.raises(KezdError) as error, agreeing(person) as client:
        (person if isinstance(person, Profiled) else client).call(method, **params)
    return error.value


def test_two_identities_of_one_daemon_talk_and_see_nothing_of_each_other(world: World) -> None:
    home = world.home()
    owner = world.person("owner", home.url)
    with profiles(owner, "ann", "ben") as (ann, ben):
        for person in (ann, ben):
            person.make_identity()
            person.register()
        ann.add("@ben")
        ben.add("@ann")
        place = ben.call("events.subscribe", topics=["message", "contact", "identity"])
        there = [ann.send("@ben", f"to ben {n}", idempotency_key=f"k{n}") for n in range(5)]
        back = [ben.send("@ann", f"to ann {n}", idempotency_key=f"k{n}") for n in range(5)]
        ben.wait_for("@ann", there)
        ann.wait_for("@ben", back)
        ann.wait_states(there)
        ben.wait_states(back)
        assert not set(there) & set(back), "an idempotency key of one is nothing to the other"
        assert (
            refused(ann, "chat.send", to="@ben", text="x", idempotency_key="k0").slug
            is Slug.IDEMPOTENCY_CONFLICT
        )

        mine, yours = ann.call("identity.show"), ben.call("identity.show")
        assert mine["primary"] != yours["primary"]
        assert [c["handle"] for c in ann.call("contacts.list")["items"]] == ["ben@kez.test"]
        assert [c["handle"] for c in ben.call("contacts.list")["items"]] == ["ann@kez.test"]
        assert all(m["direction"] == "in" for m in ben.history("@ann") if m["id"] in there)
        epochs = {p.call("events.subscribe", topics=["message"])["epoch"] for p in (ann, ben)}
        assert len(epochs) == 2
        stray = ann.call("events.subscribe", topics=["message"])
        cursor = {"epoch": stray["epoch"], "seq": stray["seq"]}
        assert refused(ben, "events.subscribe", topics=["message"], since=cursor).slug is Slug.CANNOT_REPLAY
        assert place["epoch"] != stray["epoch"]

        with agreeing(owner) as full:
            secret = full.call("tokens.create", name="of-ann", scope="chat", profiles=["ann"])["token"]
        with owner.peer.client(profile="ann", token=secret) as client:
            assert client.call("identity.show")["handle"] == "ann@kez.test"
        with pytest.raises(KezdError) as forbidden:
            owner.peer.client(profile="ben", token=secret)
        assert forbidden.value.slug is Slug.FORBIDDEN
        with agreeing(owner, "ben") as client:
            everything = client.events(
                ["message", "contact"], {"epoch": place["epoch"], "seq": 0}, follow=False
            )
            logged = [one["event"] for one in everything]
        assert {e["message"]["contact"] for e in logged if "message" in e} == {mine["primary"]}
        assert {e["contact"]["genesis"] for e in logged if "contact" in e} == {mine["primary"]}

        data = owner.peer.directory / "data" / "profiles"
        assert sorted(path.name for path in data.iterdir()) == ["ann", "ben"]
        vaults = [json.loads((data / name / "vault.json").read_text())["id"] for name in ("ann", "ben")]
        assert vaults[0] != vaults[1]
        items = {item["name"]: item for item in owner.call("profiles.list")["items"]}
        assert items["default"]["state"] == "empty", "the one of the connection has nothing of it"
        assert items["ann"]["handle"] == "ann@kez.test"
        assert items["ben"]["link"] == "online"
        assert owner.call("identity.show")["state"] == "none"

    owner.peer.restart()
    with profiles(owner, "ann", "ben") as (ann, ben):
        assert ann.call("identity.show")["handle"] == "ann@kez.test", (
            "made at run time, there after a restart"
        )
        assert ann.received("@ben") == back
        assert ben.received("@ann") == there


def test_a_removed_profile_is_gone_and_the_others_stay(world: World) -> None:
    home = world.home()
    owner = world.person("owner", home.url)
    with profiles(owner, "ann", "ben") as (ann, ben):
        for person in (ann, ben):
            person.make_identity()
            person.register()
        assert refused(owner, "profiles.remove", name="ann").slug is Slug.PROFILE_IN_USE
        assert refused(owner, "profiles.remove", name="nobody").slug is Slug.UNKNOWN_PROFILE
        assert refused(owner, "profiles.create", name="ann").slug is Slug.PROFILE_EXISTS
        for bad in ("", "a/b", "..", "A", "x" * 33):
            assert refused(owner, "profiles.create", name=bad).slug is Slug.INVALID_ARGUMENT
        bot = owner.call("tokens.create", name="bot", scope="chat", profiles=["ann"])["token"]
        with agreeing(owner, "ann") as client:
            listening = client.events(["message"])
            remove(owner, "ann", force=True)
            with pytest.raises(KezdError) as ended:
                next(iter(listening))
            assert ended.value.slug is Slug.UNKNOWN_PROFILE, "who listened is told"
        assert not (owner.peer.directory / "data" / "profiles" / "ann").exists()
        for method in ("identity.show", "chat.conversations", "identity.create"):
            assert refused(ann, method).slug is Slug.UNKNOWN_PROFILE, "also who is still connected"
        assert refused(owner, "profiles.remove", name="ann", force=True).slug is Slug.UNKNOWN_PROFILE
        assert ben.call("identity.show")["state"] == "active"
        ben.wait_online()
    owner.peer.restart()
    assert {item["name"] for item in owner.call("profiles.list")["items"]} == {"ben", "default"}
    owner.call("profiles.create", name="ann")
    with profiles(owner, "ann") as (ann,):
        assert ann.call("identity.show")["state"] == "none", "the name is free, and nothing is behind it"
        with pytest.raises(KezdError) as unknown:
            owner.peer.client(profile="ann", token=bot)
        assert unknown.value.slug is Slug.FORBIDDEN, "a token of the old one opens nothing of the new one"

    for name in ("ann", "ben", "default"):
        owner.hang_up()
        with agreeing(owner, name) as client:
            client.call("profiles.remove", name=name, force=True)
    items = owner.call("profiles.list")["items"]
    assert [(item["name"], item["state"]) for item in items] == [("default", "empty")], "there is always one"


@pytest.mark.parametrize("damage", ["garbage", "directory", "empty_vault"])
def test_a_broken_profile_does_not_stop_the_other(world: World, damage: str) -> None:
    home = world.home()
    owner = world.person("owner", home.url)
    with profiles(owner, "ann", "ben") as people:
        for person in people:
            person.make_identity()
        people[1].register()
    owner.hang_up()
    owner.peer.stop()
    broken = owner.peer.directory / "data" / "profiles" / "ann"
    match damage:
        case "garbage":
            (broken / "peer.db").write_bytes(b"\x00garbage" * 4096)
        case "directory":
            (broken / "peer.db").unlink()
            (broken / "peer.db").mkdir()
        case _:
            (broken / "vault.json").write_bytes(b"")
    owner.peer.start()
    items = {item["name"]: item for item in owner.call("profiles.list")["items"]}
    assert items["ann"]["state"] == "locked"
    assert items["ann"]["trouble"] == ("vault_damaged" if damage == "empty_vault" else "store_failed")
    with profiles(owner, "ann", "ben") as (ann, ben):
        assert refused(ann, "chat.conversations").slug is Slug.LOCKED
        ben.wait_online()
        assert ben.call("identity.show")["state"] == "active"


def test_profiles_that_wait_for_their_vaults_wait_together(world: World) -> None:
    """Each gets two seconds at a start, all of them the same two."""
    home = world.home()
    owner = world.person("owner", home.url)
    names = [f"p{n}" for n in range(5)]
    with profiles(owner, *names) as people:
        for person in people:
            person.make_identity()
    owner.hang_up()
    began = time.monotonic()
    owner.peer.restart()
    took = time.monotonic() - began
    print(f"a restart with five vaults of Argon2id took {took:.2f} s")
    states = {item["name"]: item["state"] for item in owner.call("profiles.list")["items"]}
    assert states == dict.fromkeys(names, "open") | {"default": "empty"}


def test_by_the_command_line(world: World) -> None:
    owner = world.person("owner", "http://127.0.0.1:9")
    kez = owner.peer.kez
    kez("profile", "create", "work", "--switch")
    assert kez("profile", "list")["current"] == "work"
    assert "* work" in owner.peer.kez_text("profile", "list")
    assert "work" in owner.peer.kez_text("status")
    kez("profile", "switch", "default")
    assert kez("profile", "list")["current"] == "default"
    assert owner.peer.kez_fails("profile", "switch", "nobody")[0] == 5
    assert owner.peer.kez_fails("profile", "remove", "work")[0] == 2, "nobody is there to type its name"
    kez("profile", "switch", "work")
    kez("profile", "remove", "work", "--yes")
    assert kez("profile", "list")["current"] == "default"
    code, text = owner.peer.kez_fails("--profile", "work", "whoami")
    assert (code, "kez profile create" in text) == (5, True)


def test_a_removal_does_not_wait_for_other_profiles(world: World) -> None:
    owner = world.person("owner", "http://127.0.0.1:9")
    with profiles(owner, "ann", "ben") as (ann, ben):
        for person in (ann, ben):
            person.make_identity()
        with elapsed_at_most(5):
            remove(owner, "ann", force=True)
        wait_until("ben answers", lambda: ben.call("identity.show")["state"] == "unregistered")
    leftovers = owner.peer.directory / "data" / "tmp"
    assert not leftovers.exists() or not list(Path(leftovers).iterdir())
