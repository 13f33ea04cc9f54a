"""The network loses what it likes: acknowledgements, connections, everything. Nothing shown twice."""

from collections.abc import Iterator

import pytest

from kezd.testing.broker_proxy import BrokerProxy
from kezd.testing.people import Person, World, befriend, wait_until
from kezd.testing.ports import free_port


@pytest.fixture
def proxied(world: World) -> Iterator[tuple[BrokerProxy, Person, Person]]:
    """Two friends whose home tells them the proxy's address."""
    port = free_port()
    with BrokerProxy.start(port) as proxy:
        arguments = ["--nats-bind", f"127.0.0.1:{port}", "--nats-public-url", proxy.url]
        home = world.home(extra_args=arguments)
        alice, bob = world.registered("alice", home.url), world.registered("bob", home.url)
        befriend(alice, bob)
        yield proxy, alice, bob


def test_a_sender_without_acknowledgement_repeats_the_same_bytes(
    proxied: tuple[BrokerProxy, Person, Person],
) -> None:
    proxy, alice, bob = proxied
    bob.peer.stop()  # his receipts would tell alice as well as an acknowledgement
    proxy.withhold_pubacks = True
    sent = [alice.send("@bob", f"did you get it? {n}") for n in range(3)]
    wait_until("alice repeats", lambda: len(proxy.repeats()) >= len(sent))
    assert all(alice.message(i)["state"] == "queued" for i in sent)
    proxy.withhold_pubacks = False
    alice.wait_states(sent, {"accepted"})
    bob.peer.start()
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
    repeats = proxy.repeats()
    assert all(len(digests) == 1 for digests in repeats.values()), "other bytes under the same key"
    assert proxy.withheld >= len(sent)


def test_cut_connections(proxied: tuple[BrokerProxy, Person, Person]) -> None:
    proxy, alice, bob = proxied
    sent, answers = [], []
    for number in range(12):
        sent.append(alice.send("@bob", f"text {number}"))
        answers.append(bob.send("@alice", f"answer {number}"))
        if number % 3 == 1:
            proxy.cut()
    bob.wait_for("@alice", sent)
    alice.wait_for("@bob", answers)
    alice.wait_states(sent)
    bob.wait_states(answers)


def test_a_silent_network(proxied: tuple[BrokerProxy, Person, Person]) -> None:
    proxy, alice, bob = proxied
    proxy.stalled = True
    sent = [alice.send("@bob", f"into the void {n}") for n in range(3)]
    wait_until("alice has tried", lambda: bool((alice.link() or {}).get("queue")))
    proxy.stalled = False
    proxy.cut()
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)


def test_a_broker_that_refuses_connections(proxied: tuple[BrokerProxy, Person, Person]) -> None:
    proxy, alice, bob = proxied
    proxy.refusing = True
    proxy.cut()
    alice.wait_link("offline", "connecting")
    sent = [alice.send("@bob", f"knocking {n}") for n in range(3)]
    assert all(alice.message(i)["state"] == "queued" for i in sent)
    proxy.refusing = False
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
