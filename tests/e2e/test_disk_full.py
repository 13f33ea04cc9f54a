"""The disk fills up under a running peer: it says so, runs on, and goes on when there is room."""

import os

import pytest

from kezd.errors import Slug, StoreError
from kezd.testing.people import Person, World, befriend, wait_until
from kezd.testing.small_disk import fill, small_disk

DISK_BYTES = 12 * 1024 * 1024
TEXT = "x" * 20_000


def send_until_refused(person: Person, sent: list[str]) -> None:
    while True:
        sent.append(person.send("@bob", TEXT))


@pytest.mark.needs("mount")
@pytest.mark.skipif(os.getuid() != 0 and not os.environ.get("CI"), reason="mounting a tmpfs needs root")
def test_a_full_disk_is_told_and_overcome(world: World) -> None:
    home = world.home()
    disk = world.enter(small_disk(world.directory / "disk", DISK_BYTES))
    alice = world.person("alice", home.url, directory=disk / "alice")
    alice.make_identity()
    alice.register()
    bob = world.registered("bob", home.url)
    befriend(alice, bob)
    sent = [alice.send("@bob", "while there is room")]
    bob.wait_for("@alice", sent)
    ballast = disk / "ballast"
    fill(ballast)

    with pytest.raises(StoreError) as full:
        send_until_refused(alice, sent)
    assert full.value.slug is Slug.DISK_FULL
    assert full.value.retryable
    assert alice.health()["pid"] == alice.peer.pid, "it runs on"
    assert [m["id"] for m in alice.history("@bob")] == sent, "and can be read"
    answers = [bob.send("@alice", f"answer {n} {TEXT}") for n in range(3)]
    bob.wait_states(answers, {"accepted", "delivered"})

    repeated = {"to": "@bob", "text": TEXT, "idempotency_key": "on a full disk"}
    for _ in range(2):
        with pytest.raises(StoreError) as again_full:
            alice.call("chat.send", **repeated)
        assert again_full.value.slug is Slug.DISK_FULL, "what failed is not remembered"

    ballast.unlink()
    ids = {str(alice.call("chat.send", **repeated)["message"]["id"]) for _ in range(2)}
    sent += ids
    assert len(ids) == 1, "what was done is"
    sent.append(alice.send("@bob", "there is room again"))
    bob.wait_for("@alice", sent)
    alice.wait_for("@bob", answers)
    alice.wait_states(sent)
    bob.wait_states(answers)
    alice.peer.restart()
    assert alice.received("@bob") == answers
    fill(ballast)
    alice.peer.kill()
    alice.peer.start()
    assert alice.received("@bob") == answers, "a peer starts and reads on a full disk"
    ballast.unlink()
    again = alice.send("@bob", "and again")
    bob.wait_for("@alice", [*sent, again])
    wait_until("alice is well", lambda: alice.health()["state"] == "open")
