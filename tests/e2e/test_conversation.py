"""Two people talk: through away times, stops and starts, without a home, and with a locked vault."""

import time

import pytest

from kezd.errors import AccessError, Slug
from kezd.testing.people import ARRIVED, CONFIRMED, World, befriend


def test_two_people_converse(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    shown = [p.call("contacts.show", contact=other) for p, other in ((alice, "@bob"), (bob, "@alice"))]
    assert shown[0]["safety_words"] == shown[1]["safety_words"]
    assert len(shown[0]["safety_words"]) == 12

    hello = alice.send("@bob", "hello Bob, ünïcode ✓")
    bob.wait_for("@alice", [hello])
    answers = [bob.send("@alice", f"answer {n}") for n in range(5)]
    alice.wait_for("@bob", answers)
    alice.wait_states([hello])
    bob.wait_states(answers)
    assert bob.message(hello)["text"] == "hello Bob, ünïcode ✓"
    assert bob.message(hello)["state"] in ARRIVED

    assert alice.call("chat.read", contact="@bob")["marked"] == 5
    bob.wait_states(answers, {"read"})
    assert [m["id"] for m in alice.history("@bob")] == [m["id"] for m in bob.history("@alice")]


def test_a_message_to_somebody_away_waits(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    bob.peer.stop()
    sent = [alice.send("@bob", f"for later {n}") for n in range(30)]
    alice.wait_states(sent, {"accepted"})
    assert all(alice.message(i)["state"] == "accepted" for i in sent)
    bob.peer.start()
    bob.wait_for("@alice", sent)
    alice.wait_states(sent, CONFIRMED)


def test_the_sender_may_leave_before_the_recipient_comes(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    bob.peer.stop()
    sent = [alice.send("@bob", f"note {n}") for n in range(3)]
    alice.wait_states(sent, {"accepted"})
    alice.peer.stop()
    bob.peer.start()
    bob.wait_for("@alice", sent)
    alice.peer.start()
    alice.wait_states(sent, CONFIRMED)


def test_without_a_home_the_peer_works_and_says_offline(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    home = world.homes[0]
    first = alice.send("@bob", "while all is well")
    bob.wait_for("@alice", [first])
    alice.peer.stop()
    home.stop()
    alice.peer.start()
    alice.wait_link("offline", "connecting")
    began = time.monotonic()
    queued = alice.send("@bob", "written on a train")
    assert time.monotonic() - began < 5, "sending waits for nobody"
    assert alice.message(queued)["state"] == "queued"
    assert [m["id"] for m in alice.history("@bob")] == [first, queued]
    assert alice.call("identity.show")["handle"] == "alice@kez.test"
    alice.peer.stop()
    alice.peer.start()
    assert alice.message(queued)["state"] == "queued"
    home.restart()
    bob.wait_for("@alice", [first, queued])
    alice.wait_states([first, queued])


def test_a_locked_vault_leaves_the_socket_up(world: World) -> None:
    home = world.home()
    bob = world.registered("bob", home.url)
    alice = world.person("alice", home.url, vault="locked")
    alice.make_identity()
    alice.register()
    befriend(alice, bob)
    sent = alice.send("@bob", "before the lock")
    alice.wait_states([sent])
    alice.peer.stop()
    late = bob.send("@alice", "are you there?")
    alice.peer.start()

    assert alice.health()["state"] == "locked"
    with pytest.raises(AccessError) as locked:
        alice.send("@bob", "not yet")
    assert locked.value.slug is Slug.LOCKED
    with pytest.raises(AccessError) as wrong:
        alice.call("session.unlock", passphrase="not this one")
    assert wrong.value.slug is Slug.WRONG_PASSPHRASE

    assert alice.call("session.unlock", passphrase=alice.peer.passphrase)["state"] == "open"
    alice.wait_for("@bob", [late])
    assert [m["id"] for m in alice.history("@bob")] == [sent, late]
    again = alice.send("@bob", "here I am")
    bob.wait_for("@alice", [sent, again])


def test_sending_works_from_the_first_moment(world: World) -> None:
    home = world.home()
    bob = world.registered("bob", home.url)
    alice = world.person("alice", home.url)
    alice.make_identity()
    alice.call("identity.register", handle="alice")
    alice.add("@bob")
    sent = [alice.send("@bob", "just registered")]
    for number in range(3):
        alice.peer.restart()
        sent.append(alice.send("@bob", f"just started {number}"))
    bob.add("@alice")
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
