"""A new key for an identity that chats: both ways, over crashes, and back from the new words alone."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kezd.errors import KezdError, Slug
from kezd.testing.crash_points import Point
from kezd.testing.people import Person, World, wait_until

CONFIRM_COMMITS = 14
"""Commits of a daemon from the yes to the last thing that follows from it, and some more."""


def rotate(person: Person) -> list[str]:
    """Begin, recall, change; the new words."""
    begun = person.call("sigchain.rotate")
    answers = {str(place): begun["words"][place - 1] for place in begun["ask"]}
    person.survive("sigchain.rotate_confirm", answers=answers, idempotency_key="r" + person.name)
    return list(begun["words"])


def settled(person: Person, events: int) -> dict[str, Any]:
    """Wait until everything that follows from the new key is in the chain."""
    wait_until(
        f"{person.name}'s chain has {events} events",
        lambda: person.call_surely("sigchain.show")["head"]["seq"] >= events,
    )
    return person.call_surely("sigchain.show")


def chat_both_ways(alice: Person, bob: Person, number: int) -> None:
    before = len(bob.received("@alice")), len(alice.received("@bob"))
    to_bob = alice.send("@bob", f"to bob {number}")
    to_alice = bob.send("@alice", f"to alice {number}")
    wait_until("bob has it", lambda: to_bob in bob.received("@alice"))
    wait_until("alice has it", lambda: to_alice in alice.received("@bob"))
    alice.wait_states([to_bob])
    bob.wait_states([to_alice])
    assert (len(bob.received("@alice")), len(alice.received("@bob"))) == (before[0] + 1, before[1] + 1)


def test_chat_goes_on_with_the_new_key_and_old_mail_is_opened(tmp_path: Path) -> None:
    with World.open(tmp_path) as world:
        alice, bob = world.friends("alice", "bob")
        chat_both_ways(alice, bob, 1)
        shown = bob.call("contacts.show", contact="@alice")
        bob.call("contacts.verify", contact="@alice", safety_words=shown["safety_words"])
        words = rotate(alice)
        wait_until("alice is online", lambda: (alice.link() or {})["state"] == "online")
        late = bob.send("@alice", "sealed for the old key")  # bob has not looked yet
        wait_until("alice opens it", lambda: late in alice.received("@bob"))

        identity = alice.call("identity.show")
        assert identity["key"] != identity["primary"]
        chain = settled(alice, 5)
        assert [event["op"] for event in chain["events"][2:]] == ["rotate", "remove_endpoint", "add_endpoint"]
        assert [former["key"] for former in chain["former_keys"]] == [identity["primary"]]

        bob.call("contacts.refresh", contact="@alice")
        after = bob.call("contacts.show", contact="@alice")
        assert (after["genesis"], after["primary"]) == (identity["primary"], identity["key"])
        assert after["alarm"] is None
        assert after["verified_at"] is None
        assert after["reverify"]
        assert after["safety_words"] != shown["safety_words"]
        assert alice.call("contacts.show", contact="@bob")["safety_words"] == after["safety_words"]
        chat_both_ways(alice, bob, 2)
        assert [contact["handle"] for contact in bob.call("contacts.list")["items"]] == ["alice@kez.test"]

        alice.peer.stop()
        old = world.person("alice-old", world.homes[0].url)
        with pytest.raises(KezdError) as caught:
            old.call("identity.restore", words=" ".join(alice.words), **old.peer.vault_arguments)
        assert caught.value.slug is Slug.WRONG_WORDS
        assert "rotated" in caught.value.message
        again = world.person("alice-new", world.homes[0].url)
        restored = again.call("identity.restore", words=" ".join(words), **again.peer.vault_arguments)
        assert (restored["primary"], restored["key"]) == (identity["primary"], identity["key"])
        again.wait_online()
        again.add("bob@kez.test")
        chat_both_ways(again, bob, 3)


@pytest.mark.parametrize("commit", range(1, CONFIRM_COMMITS + 1))
def test_killed_at_any_commit_it_goes_on_at_the_next_start(tmp_path: Path, commit: int) -> None:
    with World.open(tmp_path) as world:
        [alice] = world.friends("alice")
        begun = alice.call("sigchain.rotate")
        assert alice.call("sigchain.rotate") == begun
        answers = {str(place): begun["words"][place - 1] for place in begun["ask"]}
        alice.hang_up()
        with suppress(KezdError, RuntimeError):  # the first commits are those of its start
            alice.peer.restart(crash=Point.COMMIT.at(commit))
        alice.revive()
        alice.survive("sigchain.rotate_confirm", answers=answers, idempotency_key="once")
        chain = settled(alice, 5)
        assert chain["key"] == begun["primary"]
        assert [event["op"] for event in chain["events"]].count("rotate") == 1
        wait_until("it is done", lambda: alice.call_surely("identity.show").get("rotation") is None)
        alice.wait_online()
