"""A full inbox and a full home are told apart, told to the sender, and get over it."""

from kezd.testing.people import Person, World, befriend, wait_until

INBOX = 1000
KIB = 1024


def causes(person: Person, contact: str) -> set[str | None]:
    return {m["cause"] for m in person.history(contact) if m["direction"] == "out"}


def test_inbox_full(world: World) -> None:
    """More than 1,000 messages of one sender wait for somebody who is away."""
    alice, bob = world.friends("alice", "bob")
    bob.peer.stop()
    sent = [alice.send("@bob", f"{n}") for n in range(INBOX + 5)]
    wait_until("alice is told", lambda: "inbox_full" in causes(alice, "@bob"), patience=60)
    states = [m["state"] for m in alice.history("@bob")]
    assert states.count("accepted") == INBOX
    assert states.count("queued") == 5
    bob.peer.start()
    bob.wait_for("@alice", sent, patience=60)
    alice.wait_states(sent[-5:], patience=60)
    assert causes(alice, "@bob") == {None}


def test_home_full(world: World) -> None:
    home = world.home(extra_args=["--inbox-max-bytes", str(256 * KIB)])
    alice, bob, carol = (world.registered(name, home.url) for name in ("alice", "bob", "carol"))
    befriend(alice, bob, carol)
    bob.peer.stop()
    sent = [alice.send("@bob", f"{n} " + "x" * 20_000) for n in range(20)]
    wait_until("alice is told", lambda: "home_full" in causes(alice, "@bob"))
    assert "inbox_full" not in causes(alice, "@bob")
    bob.peer.start()
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
    hello = alice.send("@carol", "room again")
    carol.wait_for("@alice", [hello])
