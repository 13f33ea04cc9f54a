"""Peers tell each other the heads of sigchains: a rotation is followed, a server with two faces is caught."""

import json
import sqlite3
from pathlib import Path

import pytest

from kezd.errors import KezdError, Slug
from kezd.kez.keys import PublicKey
from kezd.testing.home_driver import HomeProcess
from kezd.testing.people import Person, World, wait_until

KEY = "ed25519:" + "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"


def rotate(person: Person) -> None:
    begun = person.call("sigchain.rotate")
    answers = {str(place): begun["words"][place - 1] for place in begun["ask"]}
    person.call("sigchain.rotate_confirm", answers=answers)


def hide_last_event(home: HomeProcess, genesis: PublicKey) -> None:
    """From now on this sigchain server shows a chain without its last event."""
    [path] = [found for found in home.directory.rglob("*.db") if "sigchain" in found.name]
    with sqlite3.connect(path, timeout=10) as db:
        [seq] = db.execute("SELECT seq FROM chains WHERE genesis = ?", (genesis.raw,)).fetchone()
        db.execute("DELETE FROM events WHERE genesis = ? AND seq = ?", (genesis.raw, seq))
        [hash_] = db.execute(
            "SELECT hash FROM events WHERE genesis = ? AND seq = ?", (genesis.raw, seq - 1)
        ).fetchone()
        db.execute("UPDATE chains SET seq = ?, hash = ? WHERE genesis = ?", (seq - 1, hash_, genesis.raw))
    db.close()


def alarm_of(person: Person, contact: str) -> dict[str, object] | None:
    found: dict[str, object] | None = person.call("contacts.show", contact=contact)["alarm"]
    return found


def test_the_first_message_of_a_new_key_is_followed_to_the_contact(tmp_path: Path) -> None:
    with World.open(tmp_path) as world:
        alice, bob = world.friends("alice", "bob")
        first = alice.send("@bob", "with the old key")
        bob.wait_for("@alice", [first])
        rotate(alice)
        second = alice.send("@bob", "with the new one")
        bob.wait_for("@alice", [first, second])
        alice.wait_states([second])
        shown = bob.call("contacts.show", contact="@alice")
        assert shown["primary"] == alice.call("identity.show")["key"]
        assert [contact["state"] for contact in bob.call("contacts.list")["items"]] == ["accepted"]
        answer = bob.send("@alice", "hello, new key")
        wait_until("alice has the answer", lambda: answer in alice.received("@bob"))


def test_a_server_that_hides_an_event_from_a_contact_is_caught(tmp_path: Path) -> None:
    with World.open(tmp_path) as world:
        home = world.home()
        alice, bob = world.friends("alice", "bob", home=home)
        device = {"device": "1", "name": "phone", "key": KEY}
        head = alice.call("sigchain.add_device", **device)
        assert head["seq"] == 3
        genesis = PublicKey.from_hex(alice.call("identity.show")["primary"].partition(":")[2])
        hide_last_event(home, genesis)
        sent = alice.send("@bob", "my chain has three events")
        bob.wait_for("@alice", [sent])
        wait_until("bob is warned", lambda: alarm_of(bob, "@alice") is not None)
        alarm = alarm_of(bob, "@alice")
        assert alarm is not None
        assert alarm["kind"] == "rollback"
        assert "has 3 events" in str(alarm["detail"])
        with pytest.raises(KezdError) as caught:
            bob.send("@alice", "not as long as that stands")
        assert caught.value.slug is Slug.CHAIN_ROLLBACK
        assert "2" in json.dumps(bob.call("sigchain.show", who="@alice")["head"]["seq"])


def test_what_a_contact_has_seen_of_our_own_chain_is_held_against_the_server(tmp_path: Path) -> None:
    with World.open(tmp_path) as world:
        home = world.home()
        alice, bob = world.friends("alice", "bob", home=home)
        copy = world.directory / "copy"
        alice.call("sigchain.add_device", device="1", name="phone", key=KEY)
        bob.call("contacts.refresh", contact="@alice")
        text = bob.call("sigchain.export", who="@alice")["text"]
        assert text == alice.call("sigchain.export", path=str(copy)) or copy.read_text() == text
        sent = bob.send("@alice", "I have seen three")
        alice.wait_for("@bob", [sent])
        assert alice.call("identity.show").get("chain_alarm") is None
