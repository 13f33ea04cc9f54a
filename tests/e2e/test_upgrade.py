"""An old database under a new binary: nothing is lost. A newer database under this one: refused, untouched."""

import fcntl
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from kezd.errors import KezdError, Slug
from kezd.runtime.paths import Paths
from kezd.runtime.settings import VaultSource
from kezd.store.database import connect
from kezd.store.migrations import MIGRATIONS
from kezd.store.vault import Vault
from kezd.testing.old_profile import PORTS, QUEUED
from kezd.testing.people import Person, World, wait_until

VECTORS = Path(__file__).parents[1] / "vectors"
OLD = sorted(path.name for path in VECTORS.glob("schema-*"))
MIGRATE = [sys.executable, "-m", "kezd.testing.crash_migration"]
PORT_ARGUMENTS = [word for pair in PORTS.items() for word in pair]


class Left:
    """What an old kezd left, copied to where it may be changed."""

    def __init__(self, name: str, directory: Path) -> None:
        self.facts: dict[str, Any] = json.loads((VECTORS / name / "facts.json").read_text())
        self.home = directory / "home0"
        shutil.copytree(VECTORS / name / "home", self.home)
        self.alice = directory / "alice"
        shutil.copytree(VECTORS / name / "profiles", self.alice / "data" / "profiles")
        for path in (self.alice, *self.alice.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        self.passphrase = directory / "old.passphrase"
        self.passphrase.write_text(self.facts["passphrase"] + "\n")
        self.environ = {"KEZD_PASSPHRASE_FILE": str(self.passphrase)}

    @property
    def database(self) -> Path:
        return Paths.from_environment({"KEZD_HOME": str(self.alice)}).profile("default").database

    def key(self) -> bytes:
        vault = Vault(self.database.parent, VaultSource.PASSPHRASE, "default", {})
        return trio.run(vault.unlock, self.facts["passphrase"]).db_key

    def crash_migration(self, what: str, *arguments: str) -> int:
        command = [*MIGRATE, what, str(self.alice), self.facts["passphrase"], *arguments]
        return subprocess.run(command, check=False, timeout=30).returncode


@pytest.fixture(params=OLD)
def left(request: pytest.FixtureRequest, world: World) -> Iterator[Left]:
    with (Path(tempfile.gettempdir()) / "kezd-fixed-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the ports of `old_profile` are the same in every worker
        yield Left(request.param, world.directory)


def is_as_it_was(alice: Person, facts: dict[str, Any]) -> None:
    """All that Alice saw with the old binary, she sees now."""
    identity, was = alice.call("identity.show"), facts["identity"]
    assert {k: identity[k] for k in was} == was
    for contact, before in zip(alice.call("contacts.list")["items"], facts["contacts"], strict=True):
        steady = {k: v for k, v in before.items() if k not in ("checked_at",)}
        assert {k: contact[k] for k in steady} == steady
    for message, before in zip(alice.history("@bob"), facts["history"], strict=True):
        changing = {"state", "cause"} if message["id"] in facts["queued"] else set()
        assert {k: message[k] for k in before.keys() - changing} == {
            k: v for k, v in before.items() if k not in changing
        }


def test_everything_is_there_after_an_upgrade_and_goes_on(world: World, left: Left) -> None:
    facts = left.facts
    home = world.home(extra_args=PORT_ARGUMENTS)
    alice = world.person("alice", home.url, directory=left.alice, vault="locked", environ=left.environ)
    is_as_it_was(alice, facts)
    bob = world.person("bob", home.url)
    bob.call("identity.restore", words=" ".join(facts["bob_words"]), **bob.peer.vault_arguments)
    bob.wait_online()
    bob.add("@alice")

    since = {"epoch": facts["epoch"], "seq": facts["seq"]}
    place = alice.call("events.subscribe", topics=["message", "contact", "identity"], since=since)
    assert place["epoch"] == facts["epoch"], "it is the same log"
    assert place["seq"] >= facts["seq"], "and it goes on"

    alice.wait_online()
    wait_until("the outbox goes out", lambda: bob.received("@alice") == facts["queued"])
    assert [m["text"] for m in bob.history("@alice")] == list(QUEUED)
    alice.wait_states(facts["queued"])
    again = alice.send("@bob", QUEUED[0], idempotency_key=QUEUED[0][:20])
    assert again == facts["queued"][0], "the old idempotency key still answers with the old result"
    sent, answer = alice.send("@bob", "from the new binary"), bob.send("@alice", "welcome")
    bob.wait_for("@alice", [*facts["queued"], sent])
    wait_until("the answer arrives", lambda: alice.received("@bob")[-1:] == [answer])


def test_a_migration_killed_at_any_step_loses_nothing(world: World, left: Left) -> None:
    """Dies later and later, each time from the old database on; the last one goes on from where it died."""
    original = left.database.read_bytes()
    deaths, steps = 0, 1
    while (code := left.crash_migration("migrate", str(steps))) != 0:
        assert code == -signal.SIGKILL
        assert left.crash_migration("check") == 0, f"whole after a death at step {steps}"
        deaths, steps = deaths + 1, steps + max(1, steps // 2)
        if deaths % 2:  # the even ones go on in what the one before left
            for suffix in ("-wal", "-shm"):
                left.database.with_name(left.database.name + suffix).unlink(missing_ok=True)
            left.database.write_bytes(original)
    assert deaths >= 3
    home = world.home(extra_args=PORT_ARGUMENTS)
    alice = world.person("alice", home.url, directory=left.alice, vault="locked", environ=left.environ)
    is_as_it_was(alice, left.facts)
    assert left.crash_migration("check") == 0


def test_a_database_of_a_newer_kezd_is_refused_and_not_touched(world: World, left: Left) -> None:
    with closing(connect(left.database, left.key())) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = {
        path.name: hashlib.sha256(path.read_bytes()).digest() for path in left.database.parent.iterdir()
    }
    mtime = left.database.stat().st_mtime_ns

    alice = world.person(
        "alice", "http://127.0.0.1:9", directory=left.alice, vault="locked", environ=left.environ
    )
    health = alice.call("daemon.health")
    assert health["state"] == "locked", "the daemon is up, and says why"
    assert [link["name"] for link in health["links"]] == ["vault"]
    assert "newer" in health["links"][0]["last_error"] or "schema" in health["links"][0]["last_error"]
    with pytest.raises(KezdError) as refused:
        alice.call("session.unlock", passphrase=left.facts["passphrase"])
    assert refused.value.slug is Slug.SCHEMA_TOO_NEW
    assert refused.value.hint == "upgrade kezd"
    with pytest.raises(KezdError) as locked:
        alice.call("chat.conversations")
    assert (locked.value.slug, locked.value.detail["cause"]) == (Slug.LOCKED, "schema_too_new")
    assert alice.peer.kez_fails("history", "@bob")[0] == 4
    alice.peer.stop()

    after = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in left.database.parent.iterdir()}
    assert after == before
    assert left.database.stat().st_mtime_ns == mtime
