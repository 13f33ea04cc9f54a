"""Accounts by `kez` with real peers, a real home, and a web over TLS: claimed, shown, found, followed, taken back."""

import json
import re
import tempfile
from pathlib import Path

import pytest

from kezd.api.methods import METHODS
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess
from kezd.testing.terminal import TerminalProcess
from kezd.testing.web_thread import web_thread

KEZ = str(BESIDE_PYTHON / "kez")
HOST = "localhost"
DOMAIN = "alice.example"
SUBJECT = f"web:{DOMAIN}"
PAGE = f"/sites/{DOMAIN}/.well-known/kez.json"
CLI = Path(__file__).parents[2] / "clients" / "cli" / "kez_cli"


class People:
    """Alice, who is going to claim a web site, and Bob, who looks."""

    def __init__(self, web, alice, bob):
        self.web, self.alice, self.bob = web, alice, bob


@pytest.fixture(scope="module")
def people(tmp_path_factory, home):
    directory = tmp_path_factory.mktemp("accounts")
    with tempfile.TemporaryDirectory(prefix="kezd-") as text, web_thread(Path(text), HOST) as (web, trusted):
        environ = {
            "SSL_CERT_FILE": str(trusted),
            "KEZD_CHANNELS_WEB_BASE": web.url(HOST, "") + "/sites/{domain}",
        }
        with (
            PeerProcess.running(directory / "alice", home_url=home.url, environ=environ) as alice,
            PeerProcess.running(directory / "bob", home_url=home.url, environ=environ) as bob,
        ):
            alice.kez("register", "alicia", "--words-file", str(directory / "alice.words"))
            bob.kez("register", "bobby", "--words-file", str(directory / "bob.words"))
            yield People(web, alice, bob)
            assert alice.errors() == []
            assert bob.errors() == []


@pytest.fixture(scope="module")
def claimed(people):
    """Alice has claimed her web site, in the two steps that a pasted proof needs."""
    first = people.alice.run_kez("claim", "publish", SUBJECT, "--yes", "--wait", "0")
    assert first.returncode == 7
    assert "then give the same command again" in first.stderr
    assert json.loads(first.stdout)["payload"]["subject"] == SUBJECT
    people.web.put(HOST, PAGE, first.stdout)
    second = people.alice.run_kez("claim", "publish", SUBJECT, "--yes")
    assert second.returncode == 0, second.stderr
    assert "in your sigchain" in second.stdout
    return people


def test_every_method_that_the_verbs_call_is_there():
    known = {method.name for method in METHODS}
    called = set()
    for source in CLI.glob("*.py"):
        called |= set(re.findall(r'"((?:claims|graph|sigchain)\.[a-z_]+)"', source.read_text()))
    assert called
    assert called <= known


def test_claims_signed_by_kezd(people):
    made = people.alice.kez("claim", "create", "github:alicia", "--yes")
    assert made["subject"] == "github:alicia"
    assert set(made["encodings"]) == {"json", "compact", "markdown"}
    done = people.alice.run_kez("verify", "file", "-", stdin=made["encodings"]["markdown"])
    assert done.returncode == 0
    text = people.alice.kez_text("claim", "dns", DOMAIN, "--yes")
    assert text.startswith(f"_kez.{DOMAIN}. ")
    assert (
        people.alice.run_kez("claim", "create", "github:alicia", "--yes", "--format", "dns").returncode == 2
    )


@pytest.mark.parametrize(("answer", "code"), [("n", 4), ("y", 0)])
def test_a_person_is_asked_before_anything_is_signed(people, answer, code):
    terminal = TerminalProcess([KEZ, "claim", "create", "github:asked"], people.alice._environ)
    assert "github:asked" in terminal.wait_for("[y/N]")
    terminal.type(answer)
    assert terminal.end() == code
    listed = {item["subject"] for item in people.alice.kez("claim", "list")["items"]}
    assert ("github:asked" in listed) == (answer == "y")


def test_a_secret_is_typed_without_being_shown(people):
    terminal = TerminalProcess([KEZ, "claim", "authorize", "github:alicia"], people.alice._environ)
    terminal.wait_for("not shown")
    terminal.type("ghp_" + "typed" * 6)
    assert terminal.end() == 0
    assert "typed" not in terminal.seen
    people.alice.kez("claim", "forget", "github:alicia")


@pytest.mark.parametrize("columns", [40, 80])
def test_a_profile_on_a_screen(claimed, columns):
    environ = {name: value for name, value in claimed.bob._environ.items() if name != "NO_COLOR"}
    terminal = TerminalProcess([KEZ, "id", "@alicia"], environ, columns)
    assert terminal.end() == 0
    plain = re.sub(r"\x1b\[\d*m", "", terminal.seen).split("\r\n")
    text = "\n".join(line.rpartition("\r")[2] for line in plain)  # what progress drew is drawn over
    lines = [line for line in text.splitlines() if "ed25519:" not in line]
    assert all(len(line) <= columns for line in lines), lines
    assert "\x1b[32m" in terminal.seen
    assert SUBJECT in text


def test_what_one_claims_is_listed(claimed):
    text = claimed.alice.kez_text("claim", "list")
    assert re.search(rf"{SUBJECT} +holds", text)
    assert {item["subject"] for item in claimed.alice.kez("claim", "list")["items"]} >= {SUBJECT}


def test_a_profile_with_every_proof(claimed):
    done = claimed.bob.run_kez("id", "@alicia")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("@alicia@kez.test")
    assert re.search(rf"✓ {SUBJECT} +holds +checked just now", done.stdout)
    assert claimed.bob.kez("id", "@alicia")["claims"][0]["status"] == "valid"
    assert claimed.alice.run_kez("id").stdout.startswith("@alicia@kez.test")


def test_verify_by_account_person_key_and_paste(claimed):
    primary = claimed.alice.kez("whoami")["primary"]
    proof = claimed.alice.kez("claim", "create", SUBJECT, "--yes")["encodings"]["compact"]
    for what in (SUBJECT, "@alicia", primary, proof):
        done = claimed.bob.run_kez("verify", what)
        assert done.returncode == 0, (what, done.stdout, done.stderr)
        assert SUBJECT in done.stdout
    assert claimed.bob.kez("verify", SUBJECT)["status"] == "valid"


def test_found_by_the_account(claimed):
    done = claimed.bob.run_kez("find", SUBJECT)
    assert done.returncode == 0, done.stderr
    assert "@alicia@kez.test" in done.stdout
    assert "kez add @alicia@kez.test" in done.stderr
    nobody = claimed.bob.run_kez("find", "web:nobody.example")
    assert nobody.returncode == 5
    assert "nobody says" in nobody.stderr


def complete(peer, *words):
    return [line.partition("\t")[0] for line in peer.run_kez("__complete", *words).stdout.splitlines()]


def test_completion_knows_claims_and_people(claimed):
    assert complete(claimed.alice, "claim", "remove", "we") == ["words", SUBJECT]
    assert SUBJECT in complete(claimed.alice, "verify", "")
    assert complete(claimed.alice, "verify", "fi") == ["words", "file"]
    assert complete(claimed.alice, "claim", "create", "x:y", "--format", "m") == ["words", "markdown"]
    assert complete(claimed.alice, "claim", "pub") == ["words", "publish"]
    assert complete(claimed.alice, "sigchain", "verify", "") == ["files"]
    assert complete(claimed.alice, "unfollow", "") == ["words"]


def test_what_could_not_be_checked_is_no_failure(claimed):
    page = claimed.web.pages[f"{HOST}{PAGE}"]
    claimed.web.put(HOST, PAGE, b"broken", 503)
    done = claimed.bob.run_kez("verify", SUBJECT, "--fresh")
    assert done.returncode == 7
    assert "? " + SUBJECT in done.stdout
    assert "could not check" in done.stdout
    assert "✗" not in done.stdout
    claimed.web.put(HOST, PAGE, b"", 404)
    gone = claimed.bob.run_kez("verify", SUBJECT, "--fresh")
    assert gone.returncode in (5, 8)
    assert "could not check" not in gone.stdout
    claimed.web.pages[f"{HOST}{PAGE}"] = page
    assert claimed.bob.run_kez("verify", SUBJECT, "--fresh").returncode == 0


def test_sigchain_shown_exported_verified_and_imported(claimed, tmp_path):
    shown = claimed.alice.run_kez("sigchain", "show")
    assert shown.returncode == 0
    assert SUBJECT in shown.stdout
    out, bundle = tmp_path / "chain.jsonl", tmp_path / "chain.zc1"
    claimed.alice.run_kez("sigchain", "export", "--out", str(out))
    claimed.alice.run_kez("sigchain", "export", "--format", "bundle", "--out", str(bundle))
    genesis = claimed.alice.kez("whoami")["primary"]
    for path in (out, bundle):
        told = claimed.bob.kez("sigchain", "verify", str(path))
        assert told["genesis"] == genesis
        assert SUBJECT in [one["subject"] for one in told["subjects"]]
    assert claimed.alice.kez("sigchain", "export")["text"] == out.read_text()
    assert "what is known already" in claimed.alice.kez_text("sigchain", "import", str(out))
    assert claimed.alice.run_kez("sigchain", "export", "--out", str(out)).returncode == 6


def test_sigchain_published_and_a_copy_of_it_checked(claimed, tmp_path):
    assert "the same as what is known" in claimed.alice.kez_text("sigchain", "publish", "--yes")
    path = tmp_path / "kez-sigchain.jsonl"
    told = claimed.alice.kez("sigchain", "publish", "--to", "file", "--path", str(path), "--yes")
    assert told["verdict"] == "same"
    assert claimed.bob.kez("sigchain", "verify", str(path))["head"] == told["head"]["hash"]
    claimed.web.put(HOST, f"/sites/{DOMAIN}/.well-known/kez-sigchain.jsonl", path.read_bytes())
    assert "the same as what is known" in claimed.alice.kez_text("sigchain", "check", SUBJECT)
    assert claimed.alice.run_kez("sigchain", "check", "gopher:x").returncode == 2
    assert claimed.alice.run_kez("sigchain", "check", "web:nobody.example").returncode in (5, 7)


def test_devices(claimed):
    key = claimed.bob.kez("whoami")["primary"]
    claimed.alice.kez("sigchain", "add-device", "laptop", "--device", "1", "--key", key, "--yes")
    assert "laptop" in claimed.alice.kez_text("sigchain", "show")
    claimed.alice.kez("sigchain", "revoke-device", "1", "--yes")
    assert claimed.alice.kez("sigchain", "show")["devices"] == []


def test_credentials(people):
    secret = people.alice.directory.with_name("token")
    secret.write_text("ghp_" + "s3cret" * 4 + "\n")
    done = people.alice.run_kez("claim", "authorize", "github:alicia", "--secret-file", str(secret))
    assert done.returncode == 0, done.stderr
    assert people.alice.kez("claim", "credentials")["accounts"] == ["github:alicia"]
    assert "s3cret" not in done.stdout + done.stderr
    people.alice.kez("claim", "forget", "github:alicia")
    assert people.alice.kez("claim", "credentials")["accounts"] == []
    assert (
        people.alice.run_kez("claim", "authorize", "dns:a.example", "--secret-file", str(secret)).returncode
        == 2
    )


def test_followed_and_then_taken_back(claimed):
    """The last one: it takes the claim away."""
    done = claimed.bob.run_kez("follow", "@alicia", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"✓ {SUBJECT}" in done.stdout
    assert claimed.bob.run_kez("follows").returncode == 0
    removed = claimed.alice.run_kez("claim", "remove", SUBJECT, "--yes")
    assert removed.returncode == 0, removed.stderr
    for words in (("verify", SUBJECT, "--fresh"), ("id", "@alicia", "--fresh")):
        told = claimed.bob.run_kez(*words)
        assert told.returncode == 8, words
        assert "taken back" in told.stdout
    claimed.bob.kez("unfollow", "@alicia")
    assert claimed.bob.kez("follows")["items"] == []


def test_a_new_key(people):
    """Behind everything else: Alice has another key afterwards."""
    before = people.alice.kez("whoami")["primary"]
    nobody = people.alice.run_kez("sigchain", "rotate", "--yes")
    assert nobody.returncode == 2
    assert "--words-file" in nobody.stderr
    path = people.alice.directory.with_name("new.words")
    done = people.alice.run_kez("sigchain", "rotate", "--words-file", str(path), "--yes")
    assert done.returncode == 0, done.stderr
    primary = people.alice.run_kez("identity", "from-mnemonic", str(path)).stdout.strip()
    assert primary != before
    assert primary in done.stdout
    chain = people.alice.kez("sigchain", "show")
    assert (chain["genesis"], chain["key"]) == (before, primary)
    assert f"signs now with  {primary}" in people.bob.run_kez("id", "@alicia", "--fresh").stdout
