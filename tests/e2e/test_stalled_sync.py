"""A disk whose sync hangs: the RPC answers and says so, and what was acknowledged survives kill -9."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError
from kezd.testing.people import World, elapsed_at_most, wait_until

HANG = "3600s"
"""Longer than any test."""


@contextmanager
def hanging_syncs(pid: int) -> Iterator[None]:
    """Every fsync and fdatasync that the process begins from now on hangs; needs the right to trace it."""
    calls = "fsync,fdatasync"
    command = [
        "strace",
        "-f",
        "-p",
        str(pid),
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:delay_enter={HANG}",
    ]
    tracer = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert tracer.stderr is not None
        said = tracer.stderr.readline().decode()
        if "attached" not in said:
            reason = f"strace may not attach here: {said.strip()}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield
    finally:
        tracer.kill()
        tracer.communicate()


def has_ended(pid: int) -> bool:
    """Whether a process has ended; strace does not let its parent know while it delays a call."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state in ("Z", "X")


@pytest.mark.needs("strace")
def test_a_sync_that_never_returns(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", f"before {n}") for n in range(5)]
    alice.wait_states(sent)

    with hanging_syncs(alice.peer.pid):
        with Client.connect(str(alice.peer.socket), timeout=1) as client, pytest.raises(KezdError):
            client.call("chat.send", to="@bob", text="never promised")
        alice.wait_link("stalled", name="store", patience=5)
        with elapsed_at_most(1):
            store = alice.link("store")
        assert store is not None
        assert store["queue"] >= 1
        with elapsed_at_most(1):
            assert [m["id"] for m in alice.history("@bob")] == sent
        answer = bob.send("@alice", "are you well?")
        bob.wait_states([answer], {"accepted"})
        assert alice.received("@bob") == [], "what is not stored is not shown"
        os.kill(alice.peer.pid, signal.SIGKILL)

    alice.peer.kill()
    alice.peer.start()
    out = [m["id"] for m in alice.history("@bob") if m["direction"] == "out"]
    assert out[: len(sent)] == sent
    alice.wait_for("@bob", [answer])
    bob.wait_states([answer])
    wait_until("the store is well", lambda: (alice.link("store") or {})["state"] == "online")


@pytest.mark.needs("strace")
def test_a_stop_does_not_wait_for_a_hanging_sync(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "before")]
    alice.wait_states(sent)
    with hanging_syncs(alice.peer.pid):
        with Client.connect(str(alice.peer.socket), timeout=0.5) as client, pytest.raises(KezdError):
            client.call("chat.send", to="@bob", text="never promised")
        os.kill(alice.peer.pid, signal.SIGTERM)
        wait_until("it ends", lambda: has_ended(alice.peer.pid), patience=10)
    alice.peer.restart()
    assert [m["id"] for m in alice.history("@bob")][:1] == sent
    hello = bob.send("@alice", "hello")
    alice.wait_for("@bob", [hello])
