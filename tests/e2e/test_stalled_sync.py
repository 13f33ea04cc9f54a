"""A disk whose sync hangs: the RPC answers and says so, and what was acknowledged survives kill -9."""

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError
from kezd.testing.people import World, elapsed_at_most, wait_until

HANG_US = 3_600_000_000
"""Longer than any test, in strace's microseconds."""


@pytest.mark.needs("strace")
def test_a_sync_that_never_returns(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", f"before {n}") for n in range(5)]
    alice.wait_states(sent)

    with alice.peer.traced(f"inject=fsync,fdatasync:delay_enter={HANG_US}"):
        client = Client.connect(str(alice.peer.socket), timeout=2)
        with client, pytest.raises(KezdError):
            client.call("chat.send", to="@bob", text="never promised")
        with elapsed_at_most(2):
            health = alice.health()
        store = next(link for link in health["links"] if link["name"] == "store")
        assert store["state"] == "stalled"
        assert store["queue"] >= 1
        with elapsed_at_most(2):
            assert [m["id"] for m in alice.history("@bob")][: len(sent)] == sent
        answer = bob.send("@alice", "are you well?")
        bob.wait_states([answer], {"accepted"})
        alice.peer.kill()

    alice.hang_up()
    alice.peer.start()
    assert [m["id"] for m in alice.history("@bob") if m["direction"] == "out"][: len(sent)] == sent
    alice.wait_for("@bob", [answer])
    bob.wait_states([answer])
    wait_until("the store is well", lambda: (alice.link("store") or {})["state"] == "ok")
