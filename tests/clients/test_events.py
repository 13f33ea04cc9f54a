"""`kez events`: what it prints, where it begins, and how it ends."""

import json
import os
import signal
import subprocess
import time

import pytest

from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import BESIDE_PYTHON, PeerProcess


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Alice and Bob, contacts of each other; Bob has three messages."""
    directory = tmp_path_factory.mktemp("pair")
    with (
        HomeProcess.start(directory / "home", server="kez.test") as home,
        PeerProcess.running(directory / "alice", home_url=home.url) as alice,
        PeerProcess.running(directory / "bob", home_url=home.url) as bob,
    ):
        for peer, name in ((alice, "alice"), (bob, "bob")):
            peer.kez("register", name, "--words-file", str(directory / f"{name}.words"))
        alice.kez("add", "@bob")
        bob.kez("add", "@alice")
        for number in range(3):
            send(alice, f"text {number}")
        yield alice, bob
        assert alice.errors() == []
        assert bob.errors() == []


def send(peer, text):
    return peer.kez("send", "@bob", text, "--wait", "delivered", "--timeout", "20")


def started(peer, *arguments):
    return subprocess.Popen(
        [str(BESIDE_PYTHON / "kez"), "--home-dir", str(peer.directory), "events", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def lines(peer, *arguments):
    done = peer.run_kez("events", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def wait_consumer(peer, name):
    deadline = time.monotonic() + 20
    while not any(c["name"] == name and c["connected"] for c in peer.kez("events", "--consumers")["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_everything_that_is_kept_and_then_the_end(pair):
    _, bob = pair
    found = [json.loads(line) for line in lines(bob, "--json", "--topics", "message")]
    assert [e["event"]["message"]["text"] for e in found if e["event"]["type"] == "received"] == [
        "text 0",
        "text 1",
        "text 2",
    ]
    assert [e["seq"] for e in found] == sorted({e["seq"] for e in found})
    first = found[0]
    rest = lines(bob, "--json", "--topics", "message", "--since", f"{first['epoch']}:{first['seq']}")
    assert [json.loads(line) for line in rest] == found[1:] or len(rest) == len(found) - 1
    assert len(lines(bob, "--json", "--limit", "2")) == 2
    plain = "\n".join(lines(bob))
    assert "from @alice@kez.test (received): text 0" in plain
    assert "identity" in plain
    assert "contact" in plain


def test_as_a_consumer_each_run_prints_what_is_new(pair):
    alice, bob = pair
    name = ("--consumer", "script", "--topics", "message", "--json")
    assert len(lines(bob, *name, "--since", "oldest")) >= 3
    assert lines(bob, *name) == []
    send(alice, "news")
    (event,) = [json.loads(line) for line in lines(bob, *name)]
    assert event["event"]["message"]["text"] == "news"
    assert lines(bob, *name) == []
    rows = {row["name"]: row for row in bob.kez("events", "--consumers")["items"]}
    assert rows["script"]["lag"] == 0
    assert "script" in bob.kez_text("events", "--consumers")
    assert bob.kez("events", "--forget", "script") == {"ok": True}
    code, text = bob.kez_fails("events", "--forget", "script")
    assert (code, "no consumer" in text) == (5, True)


def test_following_acknowledges_and_goes_on_after_ctrl_c(pair):
    alice, bob = pair
    first = started(bob, "--follow", "--consumer", "live", "--topics", "message", "--json")
    wait_consumer(bob, "live")
    send(alice, "live 1")
    assert json.loads(first.stdout.readline())["event"]["message"]["text"] == "live 1"
    deadline = time.monotonic() + 20
    while {c["name"]: c["lag"] for c in bob.kez("events", "--consumers")["items"]}["live"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=20)
    assert (first.returncode, out, err) == (130, "", "")
    send(alice, "live 2")
    second = started(bob, "--follow", "--consumer", "live", "--topics", "message", "--json", "--limit", "1")
    out, err = second.communicate(timeout=20)
    assert (second.returncode, err) == (0, "")
    assert json.loads(out)["event"]["message"]["text"] == "live 2"


def test_a_reader_that_goes_away_ends_it_quietly(pair):
    alice, bob = pair
    listener = started(bob, "--follow", "--consumer", "pipe", "--topics", "message")
    wait_consumer(bob, "pipe")
    listener.stdout.close()
    send(alice, "into a closed pipe")
    assert listener.wait(timeout=20) == 1
    with listener.stderr as stderr:
        assert stderr.read() == ""
    (again,) = lines(bob, "--consumer", "pipe", "--topics", "message", "--limit", "1")
    assert "into a closed pipe" in again, "what nobody read was not acknowledged"


def test_one_program_a_name(pair):
    _, bob = pair
    older = started(bob, "--follow", "--consumer", "twice")
    wait_consumer(bob, "twice")
    assert lines(bob, "--consumer", "twice") == []
    _, err = older.communicate(timeout=20)
    assert older.returncode == 6
    assert "another program" in err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--since", "yesterday"), "EPOCH:SEQ"),
        (("--consumer", "a b"), "1 to 64"),
        (("--since", "x:1"), "gone"),
    ],
)
def test_what_is_no_place(pair, arguments, part):
    _, bob = pair
    code, text = bob.kez_fails("events", *arguments)
    assert code in (2, 6)
    assert part in text


def test_it_goes_on_when_kezd_comes_back(pair):
    alice, bob = pair
    listener = started(bob, "--follow", "--consumer", "patient", "--topics", "message", "--json")
    wait_consumer(bob, "patient")
    send(alice, "before")
    assert json.loads(listener.stdout.readline())["event"]["message"]["text"] == "before"
    bob.restart()
    send(alice, "after")
    assert json.loads(listener.stdout.readline())["event"]["message"]["text"] == "after"
    listener.terminate()
    listener.communicate(timeout=20)
