"""Claims of real peers at a real home: made, published over TLS, seen by the other, taken back; killed on the way."""

import secrets
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezd.errors import KezdError
from kezd.testing.crash_points import Point
from kezd.testing.people import Person, World
from kezd.testing.small_github import SmallGitHub
from kezd.testing.small_web import Web
from kezd.testing.web_thread import web_thread

HOST = "localhost"
TOKEN = "ghp_" + "s3cret" * 4


class Outside:
    """A web, and how a peer is told of it."""

    def __init__(self, web: Web, trusted: Path) -> None:
        self.web = web
        base = web.url(HOST, "")
        self.environ = {
            "SSL_CERT_FILE": str(trusted),
            "KEZD_CHANNELS_GITHUB_API": base + "/gh",
            "KEZD_CHANNELS_GITHUB_RAW": base + "/raw",
            "KEZD_CHANNELS_WEB_BASE": base + "/sites/{domain}",
        }


@pytest.fixture
def outside() -> Iterator[Outside]:
    with tempfile.TemporaryDirectory(prefix="kezd-") as text, web_thread(Path(text), HOST) as (web, trusted):
        yield Outside(web, trusted)


def test_from_making_to_revoking(world: World, outside: Outside) -> None:
    alice, bob = world.friends("alice", "bob", environ=outside.environ)
    domain = f"a{secrets.token_hex(4)}.example"
    subject, page = f"web:{domain}", f"/sites/{domain}/.well-known/kez.json"
    made = alice.call("claims.create", subject=subject)
    first = alice.call("claims.publish", subject=subject)
    assert first["paste"] == made["envelope"]
    outside.web.put(HOST, page, first["paste"])
    done = alice.call("claims.publish", subject=subject)
    assert (done["done"], done["claim"]["step"], done["left"]) == (True, "added", [])

    handle = alice.call("identity.show")["handle"]
    shown = bob.call("graph.show", who=handle)
    assert [(one["subject"], one["status"]) for one in shown["claims"]] == [(subject, "valid")]
    assert bob.call("graph.verify", what=subject)["handle"] == handle
    [found] = bob.call("graph.find", subject=subject)["items"]
    assert (found["handle"], found["check"]["status"]) == (handle, "valid")
    assert bob.call("graph.follow", who=handle)["claims"] == {subject: "valid"}

    assert alice.call("claims.remove", subject=subject)["claim"]["step"] == "revoked"
    assert bob.call("graph.verify", what=subject)["status"] == "revoked"
    assert bob.call("graph.verify", what=f"@{handle}")["status"] == "revoked"
    methods = [row["method"] for row in alice.call("audit.list", limit=100)["items"]]
    assert {"claims.create", "claims.publish", "claims.remove"} <= set(methods)


@pytest.mark.parametrize("counts", [range(4, 18, 3), pytest.param(range(1, 18), marks=pytest.mark.soak)])
def test_killed_after_any_commit_it_goes_on_and_publishes_once(
    world: World, outside: Outside, counts: range
) -> None:
    user = f"u{secrets.token_hex(4)}"
    github, subject = SmallGitHub(outside.web, HOST, user), f"github:{user}"
    [alice] = world.friends("alice", environ=outside.environ)
    alice.call("claims.authorize", system="github", account=user, secret=TOKEN)
    for round_, count in enumerate(counts, start=1):
        restart(alice, count)
        alice.survive("claims.create", subject=subject)
        done = alice.survive("claims.publish", subject=subject)
        assert done["claim"]["step"] == "added"
        assert (github.made, len(github.gists)) == (round_, 1)
        restart(alice, count)
        assert alice.survive("claims.remove", subject=subject)["claim"]["step"] == "revoked"
        assert github.gists == {}
        ops = chain_ops(alice)
        assert (ops.count("add"), ops.count("revoke")) == (round_, round_)
    assert -signal.SIGKILL in alice.peer.exit_codes
    assert not any(TOKEN in line for line in alice.peer.log_lines())
    assert not any(TOKEN.encode() in path.read_bytes() for path in files(alice.peer.directory))


def restart(person: Person, count: int) -> None:
    """Start it anew, to kill itself after that commit, be it before it is ready."""
    try:
        person.peer.restart(crash=Point.COMMIT.at(count))
    except (KezdError, RuntimeError):
        person.revive()


def files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def chain_ops(person: Person) -> list[str]:
    return [event["op"] for event in person.call("sigchain.show")["events"]]
