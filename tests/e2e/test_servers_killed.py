"""nats-server and the home server are killed under traffic: nothing lost, nothing twice, order kept."""

import pytest

from kezd.testing.people import Person, World, frozen, kill_nats, wait_until

ROUNDS = 3
TEXTS = 15


def talk(alice: Person, bob: Person, sent: dict[str, list[str]], round_number: int) -> None:
    """Both write a few texts; they are queued, wherever they are by now."""
    for number in range(TEXTS):
        for one, other in ((alice, bob), (bob, alice)):
            sent[one.name].append(one.send(f"@{other.name}", f"{round_number}.{number} from {one.name}"))


@pytest.mark.parametrize("what", ["nats", "home", "both"])
def test_killed_under_traffic(world: World, what: str) -> None:
    alice, bob = world.friends("alice", "bob")
    home = world.homes[0]
    sent: dict[str, list[str]] = {"alice": [], "bob": []}
    for round_number in range(ROUNDS):
        talk(alice, bob, sent, round_number)
        if what in ("nats", "both"):
            kill_nats(home)
        if what in ("home", "both"):
            home.kill()
        talk(alice, bob, sent, round_number)
        if what != "nats":
            home.restart()
        talk(alice, bob, sent, round_number)
    bob.wait_for("@alice", sent["alice"])
    alice.wait_for("@bob", sent["bob"])
    alice.wait_states(sent["alice"])
    bob.wait_states(sent["bob"])


def test_an_idle_peer_finds_the_server_again(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    home = world.homes[0]
    home.kill()
    for person in (alice, bob):
        person.wait_link("offline", "connecting")
    home.restart()
    for person in (alice, bob):
        person.wait_online()
    hello = alice.send("@bob", "back again")
    bob.wait_for("@alice", [hello])
    alice.wait_states([hello])


def test_a_stalled_server_is_told_and_overcome(world: World) -> None:
    """SIGSTOP: connections stay open and nobody answers."""
    alice, bob = world.friends("alice", "bob")
    home = world.homes[0]
    with frozen(home.nats_pid):
        sent = [alice.send("@bob", f"into the silence {n}") for n in range(5)]
        assert all(alice.message(i)["state"] == "queued" for i in sent)
        wait_until("the link shows it", lambda: bool((alice.link() or {}).get("queue")))
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
