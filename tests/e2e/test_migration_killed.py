"""kill -9 in the middle of a migration: the next start finishes it, and nothing is lost."""

import signal
import subprocess
import sys

import pytest

from kezd.store.migrations import MIGRATIONS
from kezd.testing.people import World, wait_until

CHAT_SINCE = 3
"""The schema version that holds messages."""
MIGRATE = [sys.executable, "-m", "kezd.testing.crash_migration"]


def program(*arguments: str) -> int:
    return subprocess.run([*MIGRATE, *arguments], check=False, timeout=30).returncode


@pytest.mark.parametrize("old", range(1, len(MIGRATIONS)))
def test_a_killed_migration_is_finished_at_the_next_start(world: World, old: int) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "hello")]
    bob.wait_for("@alice", sent)
    identity, contacts = bob.call("identity.show"), bob.call("contacts.list")
    epoch = bob.call("events.subscribe", topics=["message"])["epoch"]
    bob.peer.stop()

    arguments = (str(bob.peer.directory), bob.peer.passphrase)
    assert program("age", *arguments, str(old)) == 0, "the database as an old kezd would have left it"
    deaths, steps = 0, 1
    while (code := program("migrate", *arguments, str(steps))) != 0:
        assert code == -signal.SIGKILL
        assert program("check", *arguments) == 0, "whole after each death"
        deaths, steps = deaths + 1, steps * 3
    assert deaths >= 3, "it died in the middle"
    assert program("age", *arguments, str(old)) == 0
    assert program("migrate", *arguments, "20") == -signal.SIGKILL

    bob.peer.start()
    assert program("check", *arguments) == 0
    assert bob.call("events.subscribe", topics=["message"])["epoch"] == epoch
    if old >= 2:
        assert bob.call("identity.show") == identity
        assert bob.call("contacts.list")["items"][0]["genesis"] == contacts["items"][0]["genesis"]
        hello = alice.send("@bob", "hello again")
        kept = sent if old >= CHAT_SINCE else []
        wait_until("it arrives", lambda: bob.received("@alice") == [*kept, hello])
        alice.wait_states([hello])
