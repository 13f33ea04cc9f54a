"""kill -9 at each point where something could be lost: the peer kills itself there, then starts again.

The peer under test is the real one, built by another composition root
(`kezd.testing.crash_peer`); after its death the production program goes on from the same disk.
"""

import signal

import pytest

from kezd.testing.crash_points import Point
from kezd.testing.people import World

TEXTS = 6


@pytest.mark.parametrize(
    ("point", "count"),
    [(Point.QUEUED, 1), (Point.QUEUED, 4), (Point.SENDING, 2), (Point.PUBLISHED, 1), (Point.PUBLISHED, 4)],
)
def test_a_sender_that_dies_loses_nothing(world: World, point: Point, count: int) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "before")]
    alice.wait_states(sent)
    alice.peer.restart(crash=point.at(count))
    alice.wait_online()

    for number in range(TEXTS):
        params = {"to": "@bob", "text": f"text {number}", "idempotency_key": f"key-{number}"}
        sent.append(alice.survive("chat.send", **params)["message"]["id"])
    if not alice.deaths:
        alice.wait_death()
    assert alice.peer.exit_codes[-1] == -signal.SIGKILL

    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
    assert alice.deaths == 1
    assert [m["id"] for m in alice.history("@bob")] == sent
    assert [m["text"] for m in bob.history("@alice")] == ["before", *(f"text {n}" for n in range(TEXTS))]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("point", [Point.RECEIVED, Point.STORED, Point.ACKED])
def test_a_recipient_that_dies_loses_nothing(world: World, point: Point, count: int) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "before")]
    alice.wait_states(sent)
    bob.peer.restart(crash=point.at(count))
    bob.wait_online()
    while bob.peer.poll() is None:
        sent.append(alice.send("@bob", f"text {len(sent)}"))
        alice.wait_states(sent[-1:], {"accepted", "delivered", "read"})
    sent.append(alice.send("@bob", "after"))
    bob.wait_death()
    assert bob.peer.exit_codes[-1] == -signal.SIGKILL

    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
    assert bob.deaths == 1


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_registering_survives_a_death_at_any_commit(world: World, count: int) -> None:
    home = world.home()
    bob = world.registered("bob", home.url)
    alice = world.person("alice", home.url)
    alice.make_identity()
    alice.peer.restart(crash=Point.COMMIT.at(count))
    alice.survive("identity.register", handle="alice")
    alice.wait_online()
    assert alice.deaths == 1
    assert alice.call("identity.show")["state"] == "active"
    assert alice.call("identity.show")["chain_seq"] == 2, "two events and no third"
    bob.add("@alice")
    alice.add("@bob")
    hello = bob.send("@alice", "hello")
    alice.wait_for("@bob", [hello])
    bob.wait_states([hello])
