"""The progress line: what it says, how wide it is, how often it is drawn, and that nothing of it stays."""

import io
import os
import pty
import subprocess
import sys

import pytest

from kez_cli.progress import Progress, amount
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess
from kezd.testing.terminal import TerminalProcess


class Screen:
    """A stream, a clock and what a terminal would show."""

    def __init__(self, columns=80):
        self.stream = io.StringIO()
        self.now = 0.0
        self.progress = Progress(self.stream, lambda: columns, lambda: self.now)

    @property
    def line(self) -> str:
        shown: list[str] = []
        column = 0
        for character in self.stream.getvalue():
            if character == "\r":
                column = 0
                continue
            shown[column : column + 1] = [character]
            column += 1
        return "".join(shown).rstrip()

    def drawn(self) -> int:
        return self.stream.getvalue().count("\r")


def test_it_says_how_far_it_is():
    screen = Screen()
    screen.progress.update(0, 2_000_000, "copying", "bytes")
    assert screen.line == "copying  [            ]    0%  0 B of 2.0 MB"
    screen.now = 2.0
    screen.progress.update(500_000, 2_000_000, "copying", "bytes")
    assert screen.line == "copying  [===         ]   25%  500.0 kB of 2.0 MB  250.0 kB/s  0:06 left"


def test_what_is_not_known_is_not_said():
    screen = Screen()
    screen.progress.update(0, None, "opening the vault")
    assert screen.line == "opening the vault"
    screen.now = 5
    screen.progress.update(30, None, "reading", "messages")
    assert screen.line == "reading  30 messages"


@pytest.mark.parametrize("columns", [1, 5, 12, 20, 40, 60, 200])
def test_it_is_never_wider_than_the_screen(columns):
    screen = Screen(columns)
    for second in range(4):
        screen.now = float(second)
        screen.progress.update(second * 1000, 9000, "a piece of work", "bytes")
        assert all(len(line) < max(columns, 2) for line in screen.stream.getvalue().split("\r"))


def test_it_does_not_flicker():
    screen = Screen()
    for step in range(1000):
        screen.now = step / 1000  # one second
        screen.progress.update(step, 1000, "counting")
    assert screen.drawn() <= 11


def test_nothing_of_it_stays():
    screen = Screen()
    screen.progress.close()
    assert screen.stream.getvalue() == ""
    screen.progress.update(1, 3, "a long text")
    screen.progress.update(1, 3, "short")
    assert screen.line.startswith("short  [")
    screen.progress.close()
    assert screen.line == ""
    assert screen.stream.getvalue().endswith("\r")


def test_foreign_text_moves_nothing():
    screen = Screen()
    screen.progress.update(1, 2, "x\x1b[2Jy")
    assert "\x1b" not in screen.stream.getvalue()


def test_amounts():
    assert [amount(n, "bytes") for n in (0, 999, 1000, 1_234_567, 5e12)] == [
        "0 B", "999 B", "1.0 kB", "1.2 MB", "5.0 TB"]  # fmt: skip
    assert amount(3, "messages") == "3 messages"
    assert amount(3, "") == "3"


SCRIPT = """
from kez_cli.terminal import Terminal
terminal = Terminal.of("auto", quiet={quiet})
terminal.progress(1, 2, "working")
terminal.line("a result")
"""


@pytest.mark.parametrize(
    ("quiet", "tty", "term", "drawn"),
    [(False, True, "xterm", True), (True, True, "xterm", False), (False, False, "xterm", False), (False, True, "dumb", False)],
)  # fmt: skip
def test_it_is_for_people_at_a_terminal(quiet, tty, term, drawn):
    ours, theirs = pty.openpty() if tty else os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(quiet=quiet)], stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, "TERM": term}, check=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == "a result\n"
    os.set_blocking(ours, False)
    try:
        seen = os.read(ours, 65536)
    except BlockingIOError:
        seen = b""
    os.close(ours)
    os.close(theirs)
    assert (b"working" in seen) is drawn


def test_a_person_who_waits_sees_how_far_a_message_is(tmp_path):
    with (
        HomeProcess.start(tmp_path / "home", server="kez.test") as home,
        PeerProcess.running(tmp_path / "alice", home_url=home.url) as alice,
        PeerProcess.running(tmp_path / "bob", home_url=home.url) as bob,
    ):
        for peer, name in ((alice, "alice"), (bob, "bob")):
            peer.kez("register", name, "--words-file", str(tmp_path / f"{name}.words"))
        alice.kez("add", "@bob")
        bob.kez("add", "@alice")
        kez = [str(BESIDE_PYTHON / "kez"), "send", "@bob", "hello", "--wait", "read", "--timeout", "60"]
        terminal = TerminalProcess(kez, alice._environ)
        seen = terminal.wait_for("delivered  [========    ]   66%")
        assert "queued  [            ]    0%" in seen
        bob.kez("read", "@alice")
        assert terminal.end() == 0
        last = terminal.seen.rstrip().rpartition("\r")[2]
        assert last.startswith("read  "), "the result stands on a line of its own"
        done = alice.run_kez("send", "@bob", "hello", "--wait", "delivered", "--timeout", "60")
        assert done.stderr == "", "nothing for nobody"
