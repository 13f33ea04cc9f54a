"""A real daemon that runs out of descriptors, is killed before it answers, or whose clock jumps in the middle of calls."""

import json
import resource
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from kezd.errors import KezdError, Slug
from kezd.testing.crash_points import Point
from kezd.testing.people import Person, World, wait_until

NOWHERE = "http://127.0.0.1:1"


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def made(world: World, **options: Any) -> Person:
    """Somebody with an identity and no network."""
    person = world.person("alice", NOWHERE, **options)
    person.make_identity()
    return person


def test_without_descriptors_it_serves_whom_it_has_and_accepts_again_later(world: World) -> None:
    person = made(world)
    pid = person.peer.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    waiting: list[socket.socket] = []
    with person.peer.client() as client:
        used = descriptors(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 2, usual[1]))
        for _ in range(6):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(20)
            sock.connect(str(person.peer.socket))
            sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"daemon.version"}\n')
            waiting.append(sock)
        wait_until(
            "the log says so", lambda: any("no client can be accepted" in x for x in person.peer.log_lines())
        )
        for sock in waiting[:2]:
            assert b'"result"' in sock.recv(65536)
        for _ in range(200):
            client.call("daemon.version")
            assert client.call("daemon.health")["pid"] == pid
        assert client.call("identity.show")["state"] == "unregistered"
        client.call("chat.conversations")
        began = cpu_seconds(pid)
        time.sleep(2)
        assert cpu_seconds(pid) - began < 1.0, "it pauses instead of spinning"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        for sock in waiting[2:]:
            assert b'"result"' in sock.recv(65536), "those who waited are served"
        for sock in waiting:
            sock.close()
        wait_until("all are forgotten", lambda: descriptors(pid) <= used)
        lines = [x for x in person.peer.log_lines() if "no client can be accepted" in x]
        assert len(lines) == 1, "one line for the whole time"
        assert any("clients are accepted again" in x for x in person.peer.log_lines())


def cpu_seconds(pid: int) -> float:
    nanoseconds = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1e9


def test_descriptors_that_it_has_no_room_for_are_refused(world: World) -> None:
    person = made(world)
    pid = person.peer.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with person.peer.client() as client, Path("/dev/null").open("rb") as file:
        used = descriptors(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, usual[1]))
        with pytest.raises(KezdError) as refused:
            client.call("chat.send", descriptors=[file.fileno()] * 4, to="@bob", text_from={"fd": 0})
        assert refused.value.slug is Slug.TOO_LARGE
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    with person.peer.client() as again:
        assert again.call("identity.show")["state"] == "unregistered"
    wait_until("nothing is left of them", lambda: descriptors(pid) < used)


@pytest.mark.parametrize(
    ("point", "count"), [(Point.QUEUED, 1), (Point.COMMIT, 4), (Point.COMMIT, 6), (Point.COMMIT, 8)]
)
def test_killed_between_store_and_reply_the_retry_gives_the_same(
    world: World, point: Point, count: int
) -> None:
    """`chat.send` keeps its answer with its effect; the others come to the same state when run again."""
    alice, bob = world.friends("alice", "bob")
    alice.peer.restart(crash=point.at(count))
    params = {"to": "@bob", "text": "once", "idempotency_key": "send"}
    blocked = {"contact": "@bob", "idempotency_key": "block"}
    sent, block = [], []
    for _ in range(2):
        sent.append(alice.survive("chat.send", **params)["message"]["id"])
    for _ in range(2):
        block.append(alice.survive("contacts.block", **blocked)["state"])
    accepted = alice.survive("contacts.accept", contact="@bob", idempotency_key="accept")
    alice.peer.kill()
    alice.peer.start()
    assert len({*sent, alice.survive("chat.send", **params)["message"]["id"]}) == 1
    assert alice.survive("contacts.block", **blocked)["state"] == "blocked", "the answer of then"
    assert alice.survive("contacts.show", contact="@bob")["state"] == "accepted", "and not done again"
    assert block == ["blocked"] * 2
    assert accepted["state"] == "accepted"
    with pytest.raises(KezdError) as conflict:
        alice.call("chat.send", **{**params, "text": "twice"})
    assert conflict.value.slug is Slug.IDEMPOTENCY_CONFLICT
    bob.wait_for("@alice", sent[:1])


def test_killed_again_and_again_while_it_answers(world: World) -> None:
    """The kill comes from outside, at any time after the request has left: the key makes it one message."""
    alice, bob = world.friends("alice", "bob")
    ids = []
    for number in range(12):
        params = {"to": "@bob", "text": f"text {number}", "idempotency_key": f"key {number}"}
        with alice.peer.client() as client:
            client._sock.sendall(_line("chat.send", params))
            time.sleep(number * 0.0007)
            alice.peer.kill()
        alice.peer.start()
        ids.append(alice.call_surely("chat.send", **params)["message"]["id"])
    assert [m["text"] for m in alice.history("@bob")] == [f"text {n}" for n in range(12)]
    bob.wait_for("@alice", ids)


def _line(method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 99, "method": method, "params": params}).encode() + b"\n"


def test_restoring_is_answered_although_the_daemon_was_killed(world: World) -> None:
    home = world.home()
    alice = world.registered("alice", home.url)
    alice.peer.stop()
    second = world.person("alice-2", home.url)
    params = {"words": " ".join(alice.words), "idempotency_key": "restore", **second.peer.vault_arguments}
    second.peer.restart(crash=Point.COMMIT.at(3))
    first = second.survive("identity.restore", **params)
    assert first["state"] == "active"
    second.peer.kill()
    second.peer.start()
    again = second.survive("identity.restore", **params)
    assert (again["state"], again["primary"]) == ("active", first["primary"])


def test_profiles_are_made_and_removed_once(world: World) -> None:
    """Another key stands for the same key whose answer a kill has lost."""
    person = made(world)
    tried = person.call("profiles.create", name="second", dry_run=True)
    assert (tried["name"], len(person.call("profiles.list")["items"])) == ("second", 1)
    for key in ("first", "lost"):
        assert person.call("profiles.create", name="second", idempotency_key=key)["state"] == "empty"
    with pytest.raises(KezdError) as there:
        person.call("profiles.create", name="second")
    assert there.value.slug is Slug.PROFILE_EXISTS
    person.call("profiles.remove", name="second", dry_run=True)
    assert len(person.call("profiles.list")["items"]) == 2
    for key in ("third", "lost too"):
        person.call("profiles.remove", name="second", idempotency_key=key)
    assert len(person.call("profiles.list")["items"]) == 1
