"""`kez` as people and scripts use it: what it prints, how it fails, what it costs to start."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kezd
from kez_cli.main import build_parser, commands
from kez_cli.terminal import show
from kezd.errors import TABLE, Slug
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess, VaultKind

GOLDEN = Path(__file__).parent.parent / "golden" / "kez-help.txt"
HEAVY = {
    "trio",
    "httpx",
    "msgspec",
    "nacl",
    "cryptography",
    "sqlcipher3",
    "asyncio",
    "jsonrpcserver",
    "pathlib",
}


def kez(*arguments: str, environ: dict[str, str] | None = None, stdin: str = ""):
    return subprocess.run(
        [str(BESIDE_PYTHON / "kez"), *arguments], capture_output=True, text=True, timeout=60, input=stdin,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", **(environ or {})}, check=False,
    )  # fmt: skip


def wait_until(condition, patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- without a daemon ----------------------------------------------------------------


def test_it_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kez_cli.main", "version"],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "KEZD_HOME": "/nonexistent"},
    )  # fmt: skip
    imported = {
        line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line
    }
    assert "kezd" in imported
    assert not imported & HEAVY


def test_version_without_a_daemon(tmp_path):
    done = kez("version", "--home-dir", str(tmp_path))
    assert done.returncode == 0
    assert done.stdout == f"kez {kezd.__version__}\nkezd is not running\n"


@pytest.mark.parametrize(
    "arguments",
    [["whoami"], ["send", "@bob", "x"], ["listen"], ["status"], ["register", "x", "--words-file", "y"]],
)
def test_without_a_daemon_it_says_what_to_do(tmp_path, arguments):
    done = kez("--home-dir", str(tmp_path), *arguments)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == "kez: kezd is not running\n  systemctl --user start kezd, or run: kezd\n"


def test_errors_as_json(tmp_path):
    done = kez("--home-dir", str(tmp_path), "whoami", "--json")
    assert done.returncode == 3
    assert json.loads(done.stderr)["error"]["slug"] == "not_running"
    assert done.stdout == ""


def test_doctor_without_a_daemon(tmp_path):
    done = kez("doctor", "--home-dir", str(tmp_path))
    assert done.returncode == 1
    assert "kezd is not running" in done.stdout
    assert "fix: systemctl --user start kezd, or run: kezd" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["send"], ["contacts", "--accept"], ["listen", "--topics", "x"]]
)
def test_usage_errors(arguments):
    done = kez(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rpc", "daemon.health", "{"], "not JSON"),
        (["rpc", "daemon.health", "[1]"], "JSON object"),
        (["listen", "--since", "x"], "EPOCH:SEQ"),
        (["help", "nonsense"], "no help"),
    ],
)
def test_what_is_wrong_is_said_before_a_daemon_is_needed(tmp_path, arguments, told):
    done = kez("--home-dir", str(tmp_path), *arguments)
    assert told in done.stderr
    assert done.returncode in (2, 5)


# --- help ----------------------------------------------------------------------------


def help_texts() -> str:
    texts = [f"$ kez {' '.join(words)}\n{kez(*words).stdout}" for words in
             (["--help"], *([c.name, "--help"] for c in commands()), ["help", "exit-codes"], ["help", "scripting"], ["help", "files"])]  # fmt: skip
    return "\n".join(texts)


def test_help_is_the_committed_one():
    """After a change on purpose, look at it and write it: GOLDEN.write_text(help_texts())."""
    # argparse of each Python breaks the usage lines in other places
    assert help_texts().split() == GOLDEN.read_text().split()


def test_every_command_has_an_example_that_parses():
    parser = build_parser()
    for command in commands():
        lines = [
            line.split("#")[0].split(" > ")[0].split("|")[-1 if "| kez" in line else 0].strip()
            for line in command.examples.splitlines()
        ]
        assert lines
        for line in lines:
            words = line.removeprefix("kez ").replace("'{", "{").replace("}'", "}")
            assert parser.parse_args([words.split()[0], *re.findall(r'\{.*\}|"[^"]*"|\S+', words)[1:]])


def test_exit_codes_tell_every_slug():
    told = kez("help", "exit-codes").stdout
    for slug in Slug:
        assert re.search(rf"^ +{slug.value}$", told, re.MULTILINE)
    assert {row.exit_code for row in TABLE.values()} <= {
        int(n) for n in re.findall(r"^ *(\d+)  ", told, re.M)
    }


# --- foreign text ----------------------------------------------------------------------


@given(st.text())
def test_foreign_text_moves_nothing(text):
    shown = show(text)
    assert all(c.isprintable() or c in "\u200d\ufe0f\u00a0" or c.isspace() for c in shown)
    assert not re.search(
        "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]", shown
    )


def test_a_hostile_message_stays_on_its_line(pair):
    alice, bob = pair
    alice.kez(
        "send",
        "@bob",
        "a\x1b[2Jb\u202ec\x07\rd\nkez: you have been paid",
        "--wait",
        "delivered",
        "--timeout",
        "20",
    )
    raw = bob.run_kez("history", "@alice").stdout
    assert "\x1b[2J" not in raw
    assert "\u202e" not in raw
    assert "\r" not in raw
    line = next(line for line in raw.splitlines() if "you have been paid" in line)
    assert line.startswith("   "), "a second line is indented, never posing as ours"


# --- with a daemon -----------------------------------------------------------------------


def test_a_conversation(pair):
    alice, bob = pair
    sent = alice.kez("send", "@bob", "hello bob", "--wait", "delivered", "--timeout", "20")["message"]
    assert sent["state"] in ("delivered", "read")
    got = bob.kez("rpc", "chat.message", json.dumps({"id": sent["id"]}))["message"]
    assert (got["text"], got["direction"]) == ("hello bob", "in")
    assert "hello bob" in bob.kez_text("history", "@alice")
    assert bob.kez("read", "@alice")["marked"] >= 1
    wait_until(
        lambda: alice.kez("rpc", "chat.message", json.dumps({"id": sent["id"]}))["message"]["state"] == "read"
    )
    assert "[read]" in alice.kez_text("history", "@bob")
    assert alice.kez("history")["items"][0]["handle"] == "bob@kez.test"


def test_text_from_stdin(pair):
    alice, _ = pair
    done = alice.run_kez("send", "@bob", "--json", stdin="line one\nline two\n")
    assert json.loads(done.stdout)["message"]["text"] == "line one\nline two"


def test_idempotent_and_dry(pair):
    alice, _ = pair
    first = alice.kez("send", "@bob", "once", "--idempotency-key", "job-1")
    assert alice.kez("send", "@bob", "once", "--idempotency-key", "job-1") == first
    assert alice.run_kez("send", "@bob", "twice", "--idempotency-key", "job-1").returncode == 6
    before = len(alice.kez("history", "@bob", "--limit", "200")["items"])
    assert alice.run_kez("send", "@bob", "x", "--dry-run").returncode == 0
    assert len(alice.kez("history", "@bob", "--limit", "200")["items"]) == before


def test_safety_words_are_the_same_on_both_sides(pair):
    alice, bob = pair
    words = alice.kez("contacts", "@bob")["safety_words"]
    assert words == bob.kez("contacts", "@alice")["safety_words"]
    assert all(word in alice.kez_text("contacts", "@bob") for word in words)
    assert [c["handle"] for c in alice.kez("contacts")["items"]] == ["bob@kez.test"]


@pytest.mark.parametrize(
    ("arguments", "code", "slug"),
    [
        (["send", "@nobody", "x"], 5, "not_a_contact"),
        (["add", "@nobody-at-all"], 5, "not_found"),
        (["history", "@nobody"], 5, "not_a_contact"),
        (["register", "someone-else", "--words-file", "x"], 6, "identity_exists"),
        (["send", "@bob", "x" * 100_000], 2, "too_large"),
        (["rpc", "no.such"], 2, "invalid_argument"),
        (["history", "@bob", "--cursor", "???"], 2, "invalid_argument"),
        (["restore", "--words-file", "/dev/null"], 2, "wrong_words"),
    ],
)
def test_failures_have_their_codes(pair, arguments, code, slug):
    alice, _ = pair
    got, stderr = alice.kez_fails(*arguments, "--json")
    assert json.loads(stderr)["error"]["slug"] == slug
    assert got == code


def test_wrong_handles_are_told_with_the_field(pair):
    alice, _ = pair
    code, stderr = alice.kez_fails("add", "not a handle", "--json")
    assert code == 2
    assert json.loads(stderr)["error"]["slug"] == "invalid_argument"


def test_whoami_status_words(pair):
    alice, _ = pair
    identity = alice.kez("whoami")
    assert (identity["state"], identity["handle"]) == ("active", "alice@kez.test")
    assert identity["nkey"].startswith("U")
    status = alice.kez("status")
    assert {link["name"] for link in status["links"]} == {"home", "nats", "store"}
    assert "alice@kez.test" in alice.kez_text("status")
    code, stderr = alice.kez_fails("words", "--yes")
    assert code == 4, "a fresh unlock is wanted"
    assert "passphrase" in stderr
    secret = alice.directory.with_name("secret")
    secret.write_text(alice.passphrase + "\n")
    words = alice.kez("words", "--yes", "--passphrase-file", str(secret))["words"]
    assert len(words) == 24
    assert alice.directory.with_name("alice.words").read_text().split() == words
    assert alice.kez("words", "--yes", "--passphrase-file", str(secret))["words"] == words
    secret.write_text("wrong\n")
    assert alice.kez_fails("words", "--yes", "--passphrase-file", str(secret))[0] == 4


def test_register_again_is_the_same_identity(pair):
    alice, _ = pair
    assert alice.kez("register", "alice")["primary"] == alice.kez("whoami")["primary"]


def test_version_with_a_daemon(pair):
    alice, _ = pair
    assert alice.kez("version")["kezd"]["version"] == kezd.__version__


def test_rpc_discover(pair):
    alice, _ = pair
    assert alice.kez("rpc", "rpc.discover")["document"]["openrpc"].startswith("1.")


# --- listen ----------------------------------------------------------------------------


class Listener:
    def __init__(self, peer, *arguments):
        self.process = subprocess.Popen(
            [str(BESIDE_PYTHON / "kez"), "listen", *arguments], env=peer._environ,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self._read = b""

    def line(self, patience: float = 20) -> str:
        while b"\n" not in self._read:
            readable, _, _ = select.select([self.process.stdout], [], [], patience)
            assert readable, "nothing came"
            self._read += os.read(self.process.stdout.fileno(), 65536)
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        self.process.stdout.close()
        return code


def test_listen_goes_on_over_a_restart_without_gap_or_double(pair):
    alice, bob = pair
    start = bob.kez("rpc", "events.subscribe", '{"topics": ["message"]}')
    listener = Listener(bob, "--json", "--topics", "message", "--since", f"{start['epoch']}:{start['seq']}")
    ids = [alice.kez("send", "@bob", f"before {n}")["message"]["id"] for n in range(2)]
    events = [json.loads(listener.line()) for _ in range(2)]
    bob.kill()
    ids.append(alice.kez("send", "@bob", "while away")["message"]["id"])
    bob.start()
    events.append(json.loads(listener.line()))
    received = [e["event"]["message"]["id"] for e in events if e["event"]["type"] == "received"]
    assert received == ids
    assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})
    assert listener.interrupt() == 130


def test_listen_for_people(pair):
    alice, bob = pair
    listener = Listener(bob, "--color", "never")
    time.sleep(0.5)
    alice.kez("send", "@bob", "can you see me?")
    assert listener.line().rstrip().endswith("@alice@kez.test: can you see me?")
    assert listener.interrupt() == 130


def test_a_pipe_that_closes(pair):
    alice, _ = pair
    done = subprocess.run(
        f"{BESIDE_PYTHON / 'kez'} history @bob --limit 200 | head -1", shell=True, env=alice._environ,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def in_shell(peer, line: str) -> subprocess.CompletedProcess[str]:
    """A line of shell in which `kez` is the one beside this Python; both streams as text."""
    return subprocess.run(
        line.replace("kez", str(BESIDE_PYTHON / "kez"), 1), shell=True, env=peer._environ, executable="/bin/bash",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("kez whoami > /dev/full", 1, "kez: cannot write the output: No space left on device\n"),
        ("kez whoami >&-", 0, ""),
        ("kez history @nobody 2>&-", 5, ""),
        ("kez send @bob <&-", 2, "kez: stdin is closed\n"),
    ],
)
def test_streams_that_are_full_or_closed(pair, line, code, told):
    done = in_shell(pair[0], line)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", told)


@pytest.mark.parametrize(
    "line",
    [
        r"kez send @bob < <(printf 'a\xff\xfeb')",
        r"kez send @bob $'\xff'",
        r"kez add $'\xff'",
        r"kez restore --words-file - < <(printf '\xff')",
        r"kez restore --words-file <(printf '\xff')",
        r"kez rpc daemon.health - < <(printf '\xff')",
    ],
)
def test_what_is_not_utf_8_is_refused_with_a_sentence(pair, line):
    done = in_shell(pair[0], line)
    assert done.returncode == 2
    assert "UTF-8" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_far_too_much_text_is_too_large(pair):
    done = in_shell(pair[0], f'kez send @bob < <({sys.executable} -c \'print("x" + "é" * 600_000)\')')
    assert done.returncode == 2
    assert "at most 32768 bytes" in done.stderr


def test_a_terminal_that_knows_ascii_only(pair):
    alice, _ = pair
    alice.kez("send", "@bob", "grüße")
    done = in_shell(alice, "kez history @bob --limit 1")
    assert "grüße" in done.stdout
    assert "gr\\xfc\\xdfe" in in_shell(alice, "PYTHONIOENCODING=ascii kez history @bob --limit 1").stdout


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_to_wait_is_above_0(seconds):
    done = kez("send", "@bob", "x", "--wait", "read", "--timeout", seconds)
    assert done.returncode == 2
    assert "--timeout" in done.stderr


def test_json_too_deep_is_not_json():
    assert "not JSON" in kez("rpc", "daemon.health", "[" * 100_000).stderr


def test_who_is_not_a_contact_is_named(pair):
    assert pair[0].kez_fails("history", "@nobody")[1].startswith("kez: '@nobody' is not a contact\n")


# --- a person at a terminal ----------------------------------------------------------------


class Terminal:
    """A pseudo-terminal with `kez` in it."""

    def __init__(self, peer, *arguments, columns=80):
        self.seen = ""
        child, self._fd = pty.fork()
        if child == 0:
            termios.tcsetwinsize(0, (24, columns))
            os.execve(str(BESIDE_PYTHON / "kez"), ["kez", *arguments], {**peer._environ, "TERM": "xterm"})
        self._pid = child

    def wait_for(self, text: str, patience: float = 20) -> str:
        deadline = time.monotonic() + patience
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._fd, 65536).decode()
                except OSError:
                    break
        assert text in self.seen
        return self.seen

    def is_asleep(self) -> bool:
        stat = Path(f"/proc/{self._pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "S"

    def type(self, line: str) -> None:
        self.seen = ""
        os.write(self._fd, line.encode() + b"\n")

    def until_the_end(self) -> str:
        while True:
            try:
                if not (more := os.read(self._fd, 65536)):
                    break
            except OSError:
                break
            self.seen += more.decode()
        return self.seen

    def end(self) -> int:
        self.until_the_end()
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def test_a_person_registers(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        terminal = Terminal(peer, "register", "carol")
        terminal.wait_for("New passphrase: ")
        terminal.type(peer.passphrase)
        terminal.wait_for("Once more: ")
        terminal.type(peer.passphrase)
        shown = terminal.wait_for("Press Enter")
        numbered = dict(re.findall(r"(\d+)\. ([a-z]+)", shown))
        assert sorted(map(int, numbered)) == list(range(1, 25))
        terminal.type("")
        for attempt in ("wrong", "right"):
            for _ in range(len(peer.kez("rpc", "identity.create")["ask"])):
                asked = re.findall(r"Word (\d+): ", terminal.wait_for("Word "))[-1]
                terminal.type("zebra-no" if attempt == "wrong" else numbered[asked])
            if attempt == "wrong":
                terminal.wait_for("Look at your paper")
        terminal.wait_for("carol@kez.test")
        assert terminal.end() == 0
        assert peer.kez("whoami")["handle"] == "carol@kez.test"


def test_stopping_at_the_words_hides_them_and_says_how_to_go_on(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url) as peer:
        for stop, code in (("\x03", 130), ("\x04", 2)):
            terminal = Terminal(peer, "register", "gitta")
            terminal.wait_for("Press Enter")
            wait_until(terminal.is_asleep)  # CPython loses a SIGINT between the prompt and the read
            os.write(terminal._fd, stop.encode())
            seen = terminal.wait_for("goes on from here")
            assert "\x1b[2J" in seen.partition("Press Enter")[2]
            assert terminal.end() == code
        assert "next: kez register HANDLE goes on" in peer.run_kez("status").stdout
        assert "kez register HANDLE goes on" in peer.kez_fails("send", "@bob", "x")[1]


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_nothing_that_is_ours_wraps(pair, columns):
    primary = pair[0].kez("whoami")["primary"]
    for arguments in (["whoami"], ["contacts", "@bob"], ["contacts"]):
        terminal = Terminal(pair[0], *arguments, columns=columns)
        seen = re.sub(r"\x1b\[\d+m", "", terminal.until_the_end())
        for line in seen.splitlines():
            long = len(line) > columns and "Safety words" not in line and "checked" not in line
            assert not long or line.startswith("  "), "a key that is too long has a line of its own"
        if arguments == ["whoami"]:
            assert f"  {primary}" in seen.splitlines()


def test_nobody_at_the_terminal_and_no_words_file(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url) as peer:
        code, stderr = peer.kez_fails("register", "dora")
        assert code == 2
        assert "--words-file" in stderr
        assert peer.kez("status")["state"] == "empty", "nothing was made"


def test_words_file_is_private_and_never_overwritten(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url) as peer:
        words = tmp_path / "words"
        words.write_text("precious")
        assert peer.kez_fails("register", "emil", "--words-file", str(words))[0] == 2
        assert words.read_text() == "precious"
        words.unlink()
        peer.kez("register", "emil", "--words-file", str(words))
        assert words.stat().st_mode & 0o777 == 0o600
        assert len(words.read_text().split()) == 24


def test_restore_on_another_machine(tmp_path, home):
    with (
        PeerProcess.running(tmp_path / "old", home_url=home.url) as old,
        PeerProcess.running(tmp_path / "new", home_url=home.url) as new,
    ):
        old.kez("register", "frida", "--words-file", str(tmp_path / "w"))
        primary = old.kez("whoami")["primary"]
        words = (tmp_path / "w").read_text()
        done = new.run_kez("restore", "--words-file", "-", "--json", stdin=words)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["primary"] == primary
        assert new.kez("whoami")["handle"] == "frida@kez.test"
        wait_until(lambda: old.kez("whoami")["state"] == "superseded")
        assert old.kez_fails("send", "@frida", "x")[0] in (5, 6)
        assert old.kez("restore", "--takeover", "--yes")["state"] == "active"
        wait_until(lambda: new.kez("whoami")["state"] == "superseded")
