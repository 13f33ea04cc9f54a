"""`kez notify` with two real peers, a real D-Bus and a small notification service on it."""

import os
import signal
import subprocess
from contextlib import contextmanager

import pytest

from kezd.testing.notification_desktop import NotificationDesktop
from kezd.testing.peer_driver import BESIDE_PYTHON

pytestmark = pytest.mark.needs("dbus-daemon")
KEZ = str(BESIDE_PYTHON / "kez")


@pytest.fixture
def desktop():
    with NotificationDesktop.running() as desktop:
        yield desktop


@contextmanager
def notifying(peer, desktop, *arguments):
    """`kez notify` of a peer, from the moment that it listens."""
    process = subprocess.Popen(
        [KEZ, "notify", *arguments],
        env={**peer._environ, **desktop.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr.readline() == "Notifications are on (Ctrl-C ends).\n"
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130


def test_a_message_reaches_the_desktop_and_goes_when_it_is_read(pair, desktop):
    alice, bob = pair
    with notifying(bob, desktop):
        alice.kez("send", "@bob", "<b>hello</b> & \x1b[31mwelcome\u202e")
        [shown] = desktop.wait_for(len)
        assert shown.summary == "@alice@kez.test"
        assert shown.body == "&lt;b&gt;hello&lt;/b&gt; &amp; \\u{1b}[31mwelcome\\u{202e}"
        assert shown.urgency == 1
        bob.kez("read", "@alice")
        desktop.wait_for(lambda shown: not shown)
        bob.kez("send", "@alice", "my own")
        alice.kez("send", "@bob", "again")
        [shown] = desktop.wait_for(len)
        assert shown.body == "again"
        bob.kez("read", "@alice")
        assert len(desktop.history) == 2, "nothing of one's own"


def test_a_flood_is_one_notification_that_counts(pair, desktop):
    alice, bob = pair
    with notifying(bob, desktop):
        for number in range(3):
            alice.kez("send", "@bob", f"message {number}")
        [shown] = desktop.wait_for(lambda shown: any("3 messages" in one.summary for one in shown))
        assert shown.summary == "@alice@kez.test: 3 messages"
        assert len({one.number for one in desktop.history}) == 1
        assert len(desktop.history) <= 3
        bob.kez("read", "@alice")


def test_what_is_read_at_once_is_never_shown(pair, desktop):
    alice, bob = pair
    with notifying(bob, desktop):
        alice.kez("send", "@bob", "read at once", "--wait", "delivered", "--timeout", "20")
        bob.kez("read", "@alice")
        alice.kez("send", "@bob", "another")
        [shown] = desktop.wait_for(len)
        assert shown.summary == "@alice@kez.test", "one message, not two"
        assert [one.body for one in desktop.history] == ["another"]
        bob.kez("read", "@alice")


@pytest.mark.parametrize("lock", ["locked", "login_locked"])
def test_a_locked_screen_shows_no_text(pair, desktop, lock):
    alice, bob = pair
    setattr(desktop, lock, True)
    with notifying(bob, desktop):
        alice.kez("send", "@bob", "secret")
        [shown] = desktop.wait_for(len)
        assert (shown.summary, shown.body) == ("@alice@kez.test", "a message")
        setattr(desktop, lock, False)
        alice.kez("send", "@bob", "open again")
        desktop.wait_for(lambda shown: [one.body for one in shown] == ["open again"])
        assert all("secret" not in one.body for one in desktop.history)
        bob.kez("read", "@alice")


@pytest.mark.parametrize(
    ("setting", "locked", "body"), [("never", False, "a message"), ("always", True, "text")]
)
def test_the_setting_says_when_text_is_shown(pair, desktop, setting, locked, body):
    alice, bob = pair
    desktop.locked = locked
    with notifying(bob, desktop, "--text", setting):
        alice.kez("send", "@bob", "text")
        [shown] = desktop.wait_for(len)
        assert shown.body == body
        bob.kez("read", "@alice")


def test_a_desktop_without_markup_gets_the_text_itself(pair):
    alice, bob = pair
    with NotificationDesktop.running(capabilities=("body",)) as desktop, notifying(bob, desktop):
        alice.kez("send", "@bob", "a < b & c")
        [shown] = desktop.wait_for(len)
        assert shown.body == "a < b & c"
        bob.kez("read", "@alice")


def test_with_follow_it_goes_on_over_a_restart(pair, desktop):
    alice, bob = pair
    with notifying(bob, desktop, "--follow"):
        bob.kill()
        alice.kez("send", "@bob", "while away")
        bob.start()
        [shown] = desktop.wait_for(len)
        assert shown.body == "while away"
        bob.kez("read", "@alice")


def test_without_a_daemon_or_a_desktop(tmp_path, desktop):
    environ = {**os.environ, "KEZD_HOME": str(tmp_path), **desktop.environ}
    done = subprocess.run([KEZ, "notify"], env=environ, capture_output=True, text=True, timeout=30)
    assert done.returncode == 3
    assert "kezd is not running" in done.stderr
    environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={tmp_path}/none"
    done = subprocess.run([KEZ, "notify"], env=environ, capture_output=True, text=True, timeout=30)
    assert done.returncode == 5
    assert "no notification service" in done.stderr
