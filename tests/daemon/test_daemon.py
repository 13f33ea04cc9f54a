"""The real `kezd` as a process: starts, stops, locks, profiles, what it says to systemd."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kezd.client.sync import Client
from kezd.errors import KezdError, Slug
from kezd.testing.home_driver import HomeProcess
from kezd.testing.peer_driver import PeerProcess, VaultKind

KEZD = [sys.executable, "-m", "kezd.daemon.main"]
NOWHERE = "http://127.0.0.1:9"


def environment(directory: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KEZD_", "XDG_", "NOTIFY_", "DBUS_"))}
    return {**kept, "KEZD_HOME": str(directory), "KEZD_HOME_URL": NOWHERE, **more}


def run_kezd(directory: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*KEZD, *arguments], env=environment(directory, **more), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as home:
        yield home
        assert home.errors() == []


@pytest.fixture
def peer(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url) as peer:
        yield peer
        assert peer.errors() == []


# --- starting and stopping -------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path, number):
    with PeerProcess.running(tmp_path / "p", home_url=NOWHERE) as peer:
        began = time.monotonic()
        os.kill(peer.pid, number)
        while peer.poll() is None:
            time.sleep(0.01)
        assert peer.poll() == 0
        assert time.monotonic() - began < 5
        assert not peer.socket.exists()
        assert peer.errors() == []


def test_ready_soon_without_a_network(tmp_path):
    began = time.monotonic()
    with PeerProcess.running(tmp_path / "p", home_url=NOWHERE):
        assert time.monotonic() - began < 5, "aim: 1 s on an idle machine"


def test_two_do_not_run_at_once(peer):
    second = run_kezd(peer.directory)
    assert second.returncode == 6
    assert f"pid {peer.pid}" in second.stderr
    assert peer.kez("rpc", "daemon.health")["pid"] == peer.pid


def test_after_kill_9_it_starts_again(peer):
    peer.kill()
    assert peer.socket.exists()
    with pytest.raises(KezdError) as caught:
        peer.client()
    assert caught.value.slug is Slug.NOT_RUNNING
    peer.start()
    assert peer.kez("status")["state"] == "empty"


def test_the_socket_and_directories_are_private(peer):
    assert stat.S_IMODE(peer.socket.lstat().st_mode) == 0o600
    for name in ("data", "state", "run"):
        assert stat.S_IMODE((peer.directory / name).lstat().st_mode) == 0o700


def test_a_directory_open_to_others_is_refused(tmp_path):
    (tmp_path / "p" / "run").mkdir(parents=True)
    (tmp_path / "p" / "run").chmod(0o755)
    done = run_kezd(tmp_path / "p")
    assert done.returncode == 4
    assert "chmod 700" in done.stderr


@contextlib.contextmanager
def black_hole():
    """A home that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_second_signal_stops_it_at_once(tmp_path):
    with black_hole() as url, PeerProcess.running(tmp_path / "p", home_url=url) as peer:
        hanging = threading.Thread(target=lambda: peer.run_kez("doctor"))
        hanging.start()
        time.sleep(0.5)  # the call is under way: nothing tells that from outside
        os.kill(peer.pid, signal.SIGTERM)
        while not any("asked to stop" in line for line in peer.log_lines()):
            time.sleep(0.01)
        os.kill(peer.pid, signal.SIGTERM)
        while peer.poll() is None:
            time.sleep(0.01)
        assert peer.poll() == 128 + signal.SIGTERM, "not the 0 of a stop that waits for the call"
        hanging.join()


def test_a_call_that_hangs_does_not_hold_up_the_stop(tmp_path):
    with black_hole() as url, PeerProcess.running(tmp_path / "p", home_url=url) as peer:
        hanging = threading.Thread(target=lambda: peer.run_kez("doctor"))
        hanging.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert peer.stop() == 0
        assert time.monotonic() - began < 6
        hanging.join()


def test_shutdown_by_rpc(peer):
    assert peer.kez("rpc", "daemon.shutdown") == {"ok": True}
    while peer.poll() is None:
        time.sleep(0.01)
    assert peer.poll() == 0


def test_a_bug_ends_with_70_and_a_traceback(tmp_path):
    program = (
        "import sys\n"
        "from kezd.daemon.adapters import Adapters\n"
        "from kezd.daemon.main import main\n"
        "from kezd.rpc.ports import ProfileState\n"
        "def broken(*_): raise ZeroDivisionError\n"
        "class Clock:\n"
        "    now = monotonic = broken\n"
        "sys.exit(main([], adapters=Adapters(clock=Clock())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path / "p"), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "level=critical" in done.stderr


# --- systemd ----------------------------------------------------------------------


def test_systemd_hears_ready_watchdog_and_stopping(tmp_path):
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with PeerProcess.running(tmp_path / "p", home_url=NOWHERE, environ=variables) as peer:
            while heard.count("WATCHDOG=1") < 3:
                heard.append(manager.recv(4096).decode())
            peer.stop()
            while heard[-1] != "STOPPING=1":
                heard.append(manager.recv(4096).decode())
    assert heard[0] == "READY=1"
    assert "STATUS=default: empty" in heard


def test_a_socket_passed_by_systemd_is_used_and_kept(tmp_path):
    path = tmp_path / "passed.sock"
    program = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); os.umask(0o177); s.bind(sys.argv[1]); s.listen(5); os.umask(0o22)\n"
        "print(flush=True)\n"
        "os.dup2(s.fileno(), 3); os.set_inheritable(3, True); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'kezd.daemon.main'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], env=environment(tmp_path / "p"), stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()
        with Client.connect(str(path), timeout=20) as client:
            assert client.call("daemon.health")["pid"] == process.pid
        assert not (tmp_path / "p" / "run" / "kezd.sock").exists()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()
    assert path.exists()


# --- profiles and vaults -----------------------------------------------------------


def test_locked_until_somebody_gives_the_passphrase(tmp_path, home):
    with PeerProcess.running(tmp_path / "p", home_url=home.url, vault=VaultKind.LOCKED) as peer:
        code, stderr = peer.kez_fails("register", "lockie", "--words-file", str(tmp_path / "w0"))
        assert code == 4
        assert "--passphrase-file" in stderr
        secret = tmp_path / "secret"
        secret.write_text(peer.passphrase)
        words = ("--words-file", str(tmp_path / "w"), "--passphrase-file", str(secret))
        assert peer.kez("register", "lockie", *words)["state"] == "active"
        began = time.monotonic()
        peer.restart()
        assert time.monotonic() - began < 10
        assert peer.kez("status")["state"] == "locked"
        assert peer.kez_fails("whoami")[0] == 4
        with peer.client() as client:
            assert (client.session["state"], client.session["epoch"]) == ("locked", None)
            with pytest.raises(KezdError) as caught:
                client.call("session.unlock", passphrase="wrong")
            assert caught.value.slug is Slug.WRONG_PASSPHRASE
            assert client.call("session.unlock", passphrase=peer.passphrase) == {"state": "open"}
        assert peer.kez("whoami")["handle"] == "lockie@kez.test"
        assert peer.errors() == []


def test_profiles_are_strangers_to_one_another(tmp_path, home):
    variables = {"KEZD_PROFILES_NAMES": "default,work"}
    with PeerProcess.running(tmp_path / "p", home_url=home.url, environ=variables) as peer:
        peer.kez("register", "anna", "--words-file", str(tmp_path / "a"))
        assert peer.kez("status", "--profile", "work")["state"] == "empty"
        peer.kez("--profile", "work", "register", "anna-at-work", "--words-file", str(tmp_path / "b"))
        peer.restart()
        assert peer.kez("whoami")["handle"] == "anna@kez.test"
        assert peer.kez("whoami", "--profile", "work")["handle"] == "anna-at-work@kez.test"
        peer.kez("add", "@anna-at-work")
        assert peer.kez("contacts", "--profile", "work")["items"] == []
        assert peer.kez_fails("whoami", "--profile", "nobody")[0] == 5
        assert peer.errors() == []


def test_a_damaged_vault_is_told_and_the_socket_answers(peer, tmp_path):
    peer.kez("register", "damian", "--words-file", str(tmp_path / "w"))
    peer.stop()
    vault = peer.directory / "data" / "profiles" / "default" / "vault.json"
    vault.write_bytes(b"{}")
    peer.start()
    status = peer.kez("status")
    assert status["state"] == "locked"
    assert "vault" in status["links"][0]["last_error"]
    assert peer.kez_fails("unlock")[0] == 4
    checks = {c["name"]: c for c in json.loads(peer.run_kez("doctor", "--json").stdout)["checks"]}
    assert not checks["vault"]["ok"]
    assert "kez restore" in checks["vault"]["fix"]


def test_everything_that_reads_works_offline(peer, home, tmp_path):
    peer.kez("register", "offy", "--words-file", str(tmp_path / "w"))
    peer.stop()
    with black_hole() as url:
        peer._environ["KEZD_HOME_URL"] = url
        peer.start()
        assert peer.kez("whoami")["state"] == "active"
        assert peer.kez("contacts")["items"] == []
        assert peer.kez("history")["items"] == []


def test_doctor_says_what_is_wrong_and_how_to_repair_it(tmp_path):
    with PeerProcess.running(tmp_path / "p", home_url=NOWHERE) as peer:
        done = peer.run_kez("doctor", "--json")
        assert done.returncode == 1
        checks = {c["name"]: c for c in json.loads(done.stdout)["checks"]}
        assert checks["socket"]["ok"]
        assert checks["disk"]["ok"]
        assert not checks["home"]["ok"]
        assert all(c["fix"] for c in checks.values() if not c["ok"])
        peer.directory.joinpath("state").chmod(0o755)
        told = peer.run_kez("doctor").stdout
        assert f"chmod 700 {peer.directory}/state" in told
        peer.directory.joinpath("state").chmod(0o700)


def test_doctor_is_content_with_a_healthy_peer(peer, tmp_path):
    peer.kez("register", "wella", "--words-file", str(tmp_path / "w"))
    deadline = time.monotonic() + 20
    while (done := peer.run_kez("doctor", "--json")).returncode and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done.returncode == 0, done.stdout
    assert {c["name"] for c in json.loads(done.stdout)["checks"]} - {"service", "linger"} == {
        "version", "socket", "permissions", "disk", "log", "vault", "database", "home", "clock", "identity", "link",
    }  # fmt: skip


def test_identity_create_is_one_call_by_its_key(peer):
    with peer.client() as client:
        first = client.call("identity.create", idempotency_key="k")
        again = client.call("identity.create", idempotency_key="k")
        assert first == again
        with pytest.raises(KezdError) as caught:
            client.call("identity.create", words=12, idempotency_key="k")
        assert caught.value.slug is Slug.IDEMPOTENCY_CONFLICT


# --- the program itself --------------------------------------------------------------


def test_config_shows_values_and_origins(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "config.toml").write_text("[chat]\nread_receipts = false\n")
    done = run_kezd(tmp_path / "p", "config", "--json", "--set", "log.level=debug")
    settings = json.loads(done.stdout)["settings"]
    assert settings["home.url"]["origin"] == "env KEZD_HOME_URL"
    assert settings["chat.read_receipts"]["value"] == "false"
    assert settings["chat.read_receipts"]["origin"].endswith("config.toml:2")
    assert settings["log.level"]["origin"] == "flag --log.level"
    text = run_kezd(tmp_path / "p", "config").stdout
    assert "home.url" in text
    assert str(tmp_path / "p" / "run" / "kezd.sock") in text


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["--set", "nonsense"], {}, "SECTION.KEY=VALUE"),
        (["--set", "log.levle=debug"], {}, "log.level"),
        ([], {"KEZD_RPC_BATCH": "many"}, "rpc.batch"),
        (["--passphrase-file", "/no/such"], {}, "passphrase"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said(tmp_path, arguments, variables, told):
    done = run_kezd(tmp_path / "p", *arguments, **variables)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help(tmp_path):
    assert run_kezd(tmp_path, "version").stdout.startswith("kezd 0.")
    told = run_kezd(tmp_path, "--help").stdout
    for word in ("kez register", "KEZD_HOME", "--passphrase-file", "kezd config"):
        assert word in told
