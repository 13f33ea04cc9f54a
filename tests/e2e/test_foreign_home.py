"""Two homes: with guests admitted a message crosses over, without it the sender is told."""

from kezd.testing.home_driver import HomeProcess
from kezd.testing.people import Person, World, wait_until


def two_homes(world: World, *, guests: bool) -> tuple[Person, Person]:
    """Alice at one.test, Bob at two.test; each knows the other's home by its URL."""
    one = world.home("one.test", guests=guests)
    two = world.home("two.test", guests=guests)
    environ = {"KEZD_HOME_SERVERS": f"one.test={one.url},two.test={two.url}"}

    def at(home: HomeProcess, name: str) -> Person:
        return world.registered(name, home.url, environ=environ)

    return at(one, "alice"), at(two, "bob")


def test_with_guests_admitted_it_crosses_over(world: World) -> None:
    alice, bob = two_homes(world, guests=True)
    alice.add("bob@two.test")
    bob.add("alice@one.test")
    sent = [alice.send("bob@two.test", f"from one home to another {n}") for n in range(5)]
    bob.wait_for("alice@one.test", sent)
    answers = [bob.send("alice@one.test", f"and back {n}") for n in range(5)]
    alice.wait_for("bob@two.test", answers)
    alice.wait_states(sent)
    bob.wait_states(answers)


def test_without_guests_the_sender_is_told(world: World) -> None:
    alice, bob = two_homes(world, guests=False)
    alice.add("bob@two.test")
    bob.add("alice@one.test")
    sent = alice.send("bob@two.test", "anybody there?")
    wait_until("the cause is told", lambda: alice.message(sent)["cause"] == "foreign_home")
    assert alice.message(sent)["state"] in ("queued", "failed")
    assert bob.received("alice@one.test") == []
