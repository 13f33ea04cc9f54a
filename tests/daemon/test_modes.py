"""Every method in every state of the peer: the right slug, within a bound, and health that says why.

States: empty, locked by a passphrase, a keyring that hangs, a database of a newer kezd, broker and home gone, a
full disk; a disk that hangs is in tests/e2e (it needs strace). The table is the methods': nothing is left out but
`daemon.shutdown`, which has tests of its own. Nobody says yes to what asks for it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kezd.api.methods import METHODS
from kezd.client.sync import Client
from kezd.errors import KezdError, Slug, StoreError
from kezd.testing.home_driver import HomeProcess
from kezd.testing.minimal_calls import MINIMAL
from kezd.testing.peer_driver import PeerProcess, VaultKind
from kezd.testing.small_disk import fill, small_disk

BOUND = 12.0
"""Seconds for any answer; a send waits ten for a chat that is just opening."""
DISK_BYTES = 12 * 1024 * 1024
NOWHERE = "http://127.0.0.1:9"
UNTOUCHED = {"daemon.shutdown"}
"""It would end the state that is looked at."""
ANYWHERE = {"session.", "rpc.", "daemon.", "profiles.", "tokens.", "audit.", "confirmations."}
"""About the daemon, not about an open identity: they answer in every state."""
WRONG_HERE = {
    "invalid_argument",
    "not_found",
    "not_a_contact",
    "file_failed",
    "unknown_profile",
    "backup_damaged",
}


@dataclass
class Answer:
    slug: str
    took: float


def ask(path: Path, method: str, /, **params: object) -> Answer:
    began = time.monotonic()
    token = (path.parents[1] / "data" / "full.token").read_text().strip()
    with Client.connect(str(path), timeout=30, token=token) as client:
        client.decide = lambda _: False
        try:
            client.call(method, **params)
            slug = ""
        except KezdError as error:
            slug = error.slug.value
    return Answer(slug, time.monotonic() - began)


PARAMS: dict[str, dict[str, object]] = MINIMAL | {
    "identity.create": {"dry_run": True},
    "identity.register": {"handle": "someone"},
    "identity.restore": {"dry_run": True},
    "profiles.create": {"name": "other", "dry_run": True},
    "profiles.remove": {"name": "default", "dry_run": True},
    "session.unlock": {"passphrase": "not this one"},
}


def table(path: Path) -> dict[str, Answer]:
    return {
        method.name: ask(path, method.name, **PARAMS.get(method.name, {}))
        for method in METHODS
        if method.name not in UNTOUCHED
    }


def check(answers: dict[str, Answer], closed: str) -> None:
    """Methods of an open identity say why it is not; the others answer as always."""
    assert {n: a.took for n, a in answers.items() if a.took > BOUND} == {}
    assert {n: a.slug for n, a in answers.items() if a.slug == "internal"} == {}
    odd = {
        name: answer.slug
        for name, answer in answers.items()
        if not name.startswith(tuple(ANYWHERE))
        and not name.startswith(("backup.", "export."))
        and answer.slug not in WRONG_HERE | {closed}
    }
    assert odd == {}
    for name in ("chat.history", "chat.send", "contacts.list", "identity.words", "events.subscribe"):
        if name in answers:
            assert answers[name].slug == closed, name
    for name in ("daemon.health", "daemon.doctor", "daemon.version", "daemon.report"):
        assert answers[name].slug == "", name


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as home:
        yield home


@contextlib.contextmanager
def registered(directory: Path, home: HomeProcess, name: str) -> Iterator[PeerProcess]:
    with PeerProcess.running(directory / "p", home_url=home.url) as peer:
        peer.kez("register", name, "--words-file", str(directory / "w"))
        yield peer


def links(peer: PeerProcess) -> dict[str, dict[str, object]]:
    return {link["name"]: link for link in peer.kez("rpc", "daemon.health")["links"]}


def test_empty(tmp_path):
    with PeerProcess.running(tmp_path / "p", home_url=NOWHERE) as peer:
        answers = table(peer.socket)
        identity = answers.pop("identity.show").slug
        assert identity in ("", "no_identity")
        assert answers.pop("identity.create").slug == ""
        check(answers, "no_identity")


def test_locked(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        with peer.client() as client:
            client.call("identity.create", passphrase=peer.passphrase)
        peer.restart()
        check(table(peer.socket), "locked")
        assert "passphrase" in str(links(peer)["vault"]["last_error"])
        assert "kez unlock" in peer.kez_text("status")


def test_a_newer_database(tmp_path, home):
    with registered(tmp_path, home, "newer") as peer:
        peer.stop()
        program = (
            "import sys\nfrom pathlib import Path\nimport trio\nfrom kezd.store.vault import Vault\n"
            "from kezd.store.database import connect\n"
            "d = Path(sys.argv[1])\n"
            "record = trio.run(Vault(d, 'passphrase', 'default', {}).unlock, sys.argv[2])\n"
            "connect(d / 'peer.db', record.db_key).execute('PRAGMA user_version = 9999')\n"
        )
        profile = peer.directory / "data" / "profiles" / "default"
        subprocess.run([sys.executable, "-c", program, str(profile), peer.passphrase], check=True)
        peer.start()
        assert "schema 9999" in str(links(peer)["vault"]["last_error"])
        check(table(peer.socket), "locked")


KEYRING = """
import json, sys, threading, keyring.core
from pathlib import Path
from keyring.backends.SecretService import Keyring
directory = Path(sys.argv[1])
class Ours(Keyring):
    priority = 99
    def get_password(self, service, name):
        while (directory / "hangs").exists(): threading.Event().wait(0.1)
        kept = directory / "kept"
        return json.loads(kept.read_text()).get(name) if kept.exists() else None
    def set_password(self, service, name, text):
        (directory / "kept").write_text(json.dumps({name: text}))
Ours.__module__ = "keyring.backends.SecretService"
keyring.core.set_keyring(Ours())
from kezd.daemon.main import main
sys.exit(main([]))
"""


@contextlib.contextmanager
def with_keyring(peer: PeerProcess, directory: Path) -> Iterator[None]:
    """The peer on a machine whose keyring hangs while there is a file `hangs`."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEYRING, str(directory)],
        env={**peer._environ, "KEZD_VAULT_SOURCE": "keyring"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        peer._wait_ready(process)
        yield
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_keyring_that_hangs(tmp_path):
    """Two seconds, then `locked`; when it answers again, `kez unlock` is enough."""
    with PeerProcess.running(tmp_path / "p", home_url=NOWHERE, vault=VaultKind.LOCKED) as peer:
        peer.stop()
        with with_keyring(peer, tmp_path):
            token = (peer.directory / "data" / "full.token").read_text().strip()
            with Client.connect(str(peer.socket), token=token) as client:
                client.call("identity.create")
                found = {c["name"]: c["found"] for c in client.call("daemon.doctor")["checks"]}
            assert found["vault"] == "open, its key is held by the system's keyring"
            assert found["keyring"] == "answers, and is open"
        (tmp_path / "hangs").touch()
        began = time.monotonic()
        with with_keyring(peer, tmp_path):
            assert time.monotonic() - began < 8
            check(table(peer.socket), "locked")
            assert "did not answer within 2 s" in str(links(peer)["vault"]["last_error"])
            (tmp_path / "hangs").unlink()
            assert peer.kez("unlock")["state"] == "open"


def test_the_broker_is_gone_and_the_home_is_gone(tmp_path):
    with (
        HomeProcess.start(tmp_path / "h", server="kez.test") as home,
        registered(tmp_path, home, "alone") as peer,
    ):
        deadline = time.monotonic() + 20
        while links(peer)["nats"]["state"] != "online" and time.monotonic() < deadline:
            time.sleep(0.05)
        home.stop()
        while links(peer)["nats"]["state"] == "online" and time.monotonic() < deadline + 40:
            time.sleep(0.05)
        answers = table(peer.socket)
        assert {n: a.took for n, a in answers.items() if a.took > BOUND} == {}
        assert {n for n, a in answers.items() if a.slug == "internal"} == set()
        assert answers["contacts.add"].slug == "home_unreachable"
        assert answers["contacts.list"].slug == ""
        health = links(peer)
        assert health["nats"]["state"] in ("offline", "connecting")
        assert health["nats"]["last_error"]
        assert health["home"]["state"] == "offline"
        assert health["store"]["state"] == "online"
        narrow = subprocess.run(
            [str(Path(sys.executable).parent / "kez"), "status"], env={**peer._environ, "COLUMNS": "40"},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert max(map(len, narrow.splitlines())) <= 40, narrow
        os.kill(peer.pid, signal.SIGTERM)


def use_the_log_up(client: Client) -> None:
    """The write-ahead log has some room of its own."""
    for _ in range(1000):
        client.call("tokens.create", name="filler", scope="read")
        client.call("tokens.revoke", name="filler")


@pytest.mark.needs("mount")
@pytest.mark.skipif(os.getuid() != 0 and not os.environ.get("CI"), reason="mounting a tmpfs needs root")
def test_a_full_disk(tmp_path, home):
    """Who reads is answered, who writes is told why not, and nothing of it is lost or remembered."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk, registered(disk, home, "full") as peer:
        ballast = disk / "ballast"
        bot = peer.kez("token", "create", "bot", "--scope", "chat")["token"]
        fill(ballast)
        with peer.client() as client:
            with pytest.raises(StoreError) as full:
                use_the_log_up(client)
            assert full.value.slug is Slug.DISK_FULL
            with pytest.raises(StoreError), peer.client(token=bot) as revoked:
                client.call("tokens.revoke", name="bot")
            with pytest.raises(KezdError):
                revoked.call("daemon.version")  # over, although that could not be written down
        answers = table(peer.socket)
        assert {n: a.took for n, a in answers.items() if a.took > BOUND} == {}
        assert {
            n: a.slug for n, a in answers.items() if a.slug in ("internal", "store_failed", "locked")
        } == {}
        assert answers["identity.words"].slug == "confirmation_refused", "a no can be said"
        assert "disk_full" in {answer.slug for answer in answers.values()}
        for name in ("daemon.health", "daemon.report", "identity.show", "contacts.list", "events.subscribe"):
            assert answers[name].slug == "", name
        assert peer.errors() == []
        with peer.client() as client:
            client.call("daemon.shutdown")
        while peer.poll() is None:
            time.sleep(0.01)
        assert peer.poll() == 0, "it can be stopped"
        ballast.unlink()
        peer.start()
