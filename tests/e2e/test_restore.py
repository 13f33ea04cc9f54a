"""An identity comes back from its words on an empty machine, and taking over is no fight."""

import pytest

from kezd.errors import KezdError, Slug
from kezd.testing.people import Person, World, befriend, wait_until


def restore(world: World, person: Person, name: str) -> Person:
    """A second, empty machine that gets the person's words."""
    second = world.person(name, world.homes[0].url)
    second.call("identity.restore", words=" ".join(person.words), **second.peer.vault_arguments)
    second.words = person.words
    return second


def wait_superseded(person: Person) -> None:
    wait_until(f"{person.name} is superseded", lambda: person.call("identity.show")["state"] == "superseded")


def test_restore_while_the_first_machine_runs(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    before = [bob.send("@alice", f"to the first machine {n}") for n in range(5)]
    alice.wait_for("@bob", before)
    identity = alice.call("identity.show")

    second = restore(world, alice, "alice-2")
    second.wait_online()
    restored = second.call("identity.show")
    assert restored["state"] == "active"
    for member in ("primary", "handle", "chain_seq", "chain_head"):
        assert restored[member] == identity[member], member
    wait_superseded(alice)
    assert alice.call("identity.show")["reason"]
    told = alice.peer.kez_text("status")
    assert "another installation" in told.lower() or "superseded" in told.lower(), told
    assert [m["id"] for m in alice.history("@bob")] == before, "the history stays"
    with pytest.raises(KezdError) as refused:
        alice.send("@bob", "am I still here?")
    assert refused.value.slug is Slug.SUPERSEDED

    second.add("@bob")
    during = [bob.send("@alice", f"to the second machine {n}") for n in range(5)]
    second.wait_for("@bob", during)
    bob.wait_states(during)
    answer = second.send("@bob", "a new machine")
    bob.wait_for("@alice", [answer])
    assert {c["handle"] for c in bob.call("contacts.list")["items"]} == {"alice@kez.test"}
    assert bob.call("contacts.show", contact="@alice").get("alarm") is None

    alice.call("identity.restore")
    alice.wait_online()
    assert alice.call("identity.show")["state"] == "active"
    wait_superseded(second)
    after = [bob.send("@alice", f"to the first machine again {n}") for n in range(5)]
    alice.wait_for("@bob", [*before, *after])
    bob.wait_states(after)


def test_nothing_is_lost_in_a_takeover_under_traffic(world: World) -> None:
    """Each message reaches the one machine or the other.

    Fewer than a stranger's request may hold, which Bob is to the empty machine. What the first
    machine stored while it was superseded may lack its receipt: Bob sends that again in time.
    """
    alice, bob = world.friends("alice", "bob")
    sent = [bob.send("@alice", f"early {n}") for n in range(6)]
    second = restore(world, alice, "alice-2")
    sent += [bob.send("@alice", f"late {n}") for n in range(6)]
    second.wait_online()
    second.add("@bob")
    sent += [bob.send("@alice", f"later {n}") for n in range(6)]
    wait_superseded(alice)

    def arrived() -> bool:
        return {*alice.received("@bob"), *second.received("@bob")} >= set(sent)

    wait_until("every message on one machine or the other", arrived)


def test_a_superseded_machine_stays_so_after_a_restart(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    second = restore(world, alice, "alice-2")
    second.wait_online()
    wait_superseded(alice)
    alice.peer.restart()
    assert alice.call("identity.show")["state"] == "superseded"
    second.add("@bob")
    hello = bob.send("@alice", "which one?")
    second.wait_for("@bob", [hello])
    assert second.call("identity.show")["state"] == "active", "it does not fight back"


def test_restore_after_the_machine_is_gone(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    alice.peer.kill()
    waiting = [bob.send("@alice", f"while you were away {n}") for n in range(10)]
    bob.wait_states(waiting, {"accepted"})
    second = restore(world, alice, "alice-2")
    second.wait_online()
    second.add("@bob")
    second.wait_for("@bob", waiting)
    bob.wait_states(waiting)


def test_wrong_words_restore_nothing(world: World) -> None:
    home = world.home()
    alice = world.registered("alice", home.url)
    second = world.person("alice-2", home.url)
    with pytest.raises(KezdError) as wrong:
        second.call("identity.restore", words=" ".join(reversed(alice.words)), **second.peer.vault_arguments)
    assert wrong.value.slug is Slug.WRONG_WORDS
    assert second.call("identity.show")["state"] == "none"
    befriend(alice)
    alice.wait_online()
