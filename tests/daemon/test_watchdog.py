"""What feeds systemd's watchdog: a store that commits and a link that hears, not a timer."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess

INTERVAL = 0.8
"""Of the watchdog, in seconds; it is fed four times in that."""
FED = b"WATCHDOG=1"


class Manager:
    """The end of NOTIFY_SOCKET that a service manager holds."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.variables = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(INTERVAL * 1_000_000))}

    def fed_within(self, seconds: float) -> bool:
        """Whether the watchdog is fed in the next seconds; what came before does not count."""
        self.sock.setblocking(False)
        try:
            while self.sock.recv(4096):
                pass
        except BlockingIOError:
            pass
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                if self.sock.recv(4096) == FED:
                    return True
            except TimeoutError:
                return False
        return False

    def starves_within(self, seconds: float) -> bool:
        """Whether a whole interval without food comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.fed_within(INTERVAL):
                return True
        return False


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.sock.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as home:
        yield home


def wait_online(path: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with Client.connect(str(path)) as client:
                if any(
                    x["state"] == "online"
                    for x in client.call("daemon.health")["links"]
                    if x["name"] == "nats"
                ):
                    return
        except KezdError:
            pass
        time.sleep(0.02)
    raise AssertionError("the link did not come up")


@pytest.mark.parametrize("kind", ["deaf", "store"])
def test_what_is_stuck_is_not_fed_and_feeds_again_when_it_works(tmp_path, home, manager, kind):
    with PeerProcess.running(tmp_path / "p", home_url=home.url) as peer:
        peer.kez("register", f"watched-{kind}", "--words-file", str(tmp_path / "w"))
        environ = {**peer._environ, **manager.variables}
        peer.stop()
        secret = tmp_path / "secret"
        secret.write_text(peer.passphrase)
        switch = tmp_path / "stuck"
        command = [sys.executable, "-m", "kezd.testing.stuck_peer", kind, str(switch)]
        with (tmp_path / "stuck.log").open("wb") as output:
            process = subprocess.Popen(
                [*command, "--passphrase-file", str(secret)], env=environ, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )  # fmt: skip
        try:
            wait_online(peer.socket)
            assert manager.fed_within(INTERVAL)
            switch.touch()
            assert manager.starves_within(10)
            told = (tmp_path / "stuck.log").read_text()
            assert ("hears nothing" if kind == "deaf" else "one commit has not ended") in told
            switch.unlink()
            assert manager.fed_within(10), "what works again is fed again"
        finally:
            switch.unlink(missing_ok=True)
            process.terminate()
            assert process.wait(20) == 0


def test_a_stopped_process_is_not_fed(tmp_path, manager):
    with PeerProcess.running(
        tmp_path / "p", home_url="http://127.0.0.1:9", environ=manager.variables
    ) as peer:
        assert manager.fed_within(INTERVAL)
        os.kill(peer.pid, signal.SIGSTOP)
        try:
            assert manager.starves_within(5)
        finally:
            os.kill(peer.pid, signal.SIGCONT)
        assert manager.fed_within(5)


def test_a_broker_that_hangs_is_no_reason_to_restart(tmp_path, manager):
    """Starting kezd again would not help: the link's state tells it, and the rest works."""
    with (
        HomeProcess.start(tmp_path / "home", server="kez.test") as home,
        PeerProcess.running(tmp_path / "p", home_url=home.url, environ=manager.variables) as peer,
    ):
        peer.kez("register", "patient", "--words-file", str(tmp_path / "w"))
        wait_online(peer.socket)
        os.kill(home.nats_pid, signal.SIGSTOP)
        try:
            assert not manager.starves_within(4)
        finally:
            os.kill(home.nats_pid, signal.SIGCONT)
