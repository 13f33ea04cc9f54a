"""`kez report`: nothing of the person is in it, whatever the log, the links and the database hold."""

import os
import tarfile

import pytest

from kezd.client.redaction import redact_log_line, scrub
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess
from kezd.testing.people import wait_until
from kezd.testing.terminal import TerminalProcess

TEXT = "meet me at the old mill at nine"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="hidden-server.test") as home:
        yield home


def test_no_name_key_word_or_text_is_in_the_bundle(tmp_path, home):
    with (
        PeerProcess.running(tmp_path / "a", home_url=home.url) as alice,
        PeerProcess.running(tmp_path / "b", home_url=home.url) as bob,
    ):
        alice.kez("register", "alicia-secret", "--words-file", str(tmp_path / "words-a"))
        bob.kez("register", "bobby-secret", "--words-file", str(tmp_path / "words-b"))
        added = alice.kez("add", "@bobby-secret")
        alice.kez("send", "@bobby-secret", TEXT)
        wait_until("the request arrives", lambda: bob.kez("contacts")["items"])
        own = alice.kez("whoami")
        with (alice.directory / "state" / "kezd.log").open("a") as log:
            words = (tmp_path / "words-a").read_text().split()
            log.write(
                f'time=2026-01-01T00:00:00.000Z level=error logger=kezd.x msg="sent to {own["handle"]}"'
                f' text="{TEXT}" words="{" ".join(words)}" url={home.url} path={tmp_path}/a'
                f' traceback="Traceback\\n  File \\"{tmp_path}/kezd/x.py\\", line 3, in f\\nValueError: {TEXT}"\n'
                f"a stray line: {TEXT} {own['primary']}\n"
            )
        home.stop()  # so that the doctor and the links have something to say about names
        done = alice.run_kez("report", "--yes", "--out", str(tmp_path / "r.tar.gz"))
        assert done.returncode == 0, done.stderr
        shown = alice.run_kez("report", "--show").stdout
    with tarfile.open(tmp_path / "r.tar.gz") as bundle:
        members = {m.name: bundle.extractfile(m).read().decode() for m in bundle.getmembers()}
    everything = "\n".join(members.values()) + shown
    assert {name.removeprefix("kezd-report/") for name in members} == {
        f"{name}.txt"
        for name in ("client", "service", "versions", "health", "doctor", "config", "database", "log")
    }
    planted = [
        "alicia-secret", "bobby-secret", "hidden-server", TEXT, "old mill", own["primary"], added["primary"],
        str(tmp_path), home.url, home.url.rpartition("/")[2], alice.passphrase, alice.passphrase[:12],
    ]  # fmt: skip
    planted += [" ".join(words[n : n + 2]) for n in range(len(words) - 1)]
    found = [text for text in planted if text in everything]
    assert found == []
    assert "ValueError" in members["kezd-report/log.txt"]
    assert "messages" in members["kezd-report/database.txt"]


def test_it_shows_what_is_in_it_and_asks_first(tmp_path):
    with PeerProcess.running(tmp_path / "p", home_url="http://127.0.0.1:9") as peer:
        out = tmp_path / "r.tar.gz"
        done = peer.run_kez("report", "--out", str(out))
        assert done.returncode == 2
        assert "log.txt" in done.stdout
        assert not out.exists()
        peer.stop()
        assert peer.run_kez("report", "--yes", "--out", str(out)).returncode == 0, (
            "it works while kezd is down"
        )
        assert out.stat().st_mode & 0o777 == 0o600
        assert peer.run_kez("report", "--yes", "--out", str(out)).returncode == 6


@pytest.mark.parametrize(
    ("typed", "code", "written"),
    [("", 1, False), ("n", 1, False), ("\x04", 2, False), ("y", 0, True), ("YES", 0, True)],
)
def test_what_a_person_types_decides(tmp_path, typed, code, written):
    environ = {**os.environ, "KEZD_HOME": str(tmp_path / "none"), "NO_COLOR": "1"}
    target = tmp_path / "report.tar.gz"
    command = [str(BESIDE_PYTHON / "kez"), "report", "--out", str(target)]
    terminal = TerminalProcess(command, environ)
    terminal.wait_for("[y/N]")
    assert not target.exists(), "it asks first"
    terminal.type(typed)
    assert terminal.end() == code
    assert ("nothing was written" in terminal.seen) is (code == 1)
    assert target.exists() is written
    assert "Traceback" not in terminal.seen


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("asked @anna@kez.lat twice", "asked <handle> twice"),
        ("@anna is gone", "<handle> is gone"),
        ("https://kez.lat/v1/server said 500", "<url> said 500"),
        ("no route to 10.0.0.7:4222", "no route to <address>"),
        ("/home/anna/.local/share/kezd has mode 0755", "<path> has mode 0755"),
        ("kez.lat did not answer", "<name> did not answer"),
        ("key 6f0c9a1b6f0c9a1b6f0c9a1b", "key <key>"),
    ],
)
def test_free_text_is_scrubbed(text, scrubbed):
    assert scrub(text) == scrubbed


def test_an_unknown_field_of_the_log_tells_nothing():
    line = 'time=t level=info logger=kezd.a msg="link is online" link=nats queue=3 who=anna note="a b"'
    assert redact_log_line(line) == (
        'time=t level=info logger=kezd.a msg="link is online" link=nats queue=3 who=… note=…'
    )
    assert redact_log_line("free text of a library") == "(a line that is not kezd's)"
