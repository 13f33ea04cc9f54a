"""The units that are shipped: systemd understands them, they are closed, and a real manager runs them."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kezd.testing.user_manager import UserManager, why_not

SYSTEMD = Path(__file__).parents[2] / "systemd"
BIN = Path(sys.executable).parent
MOST_EXPOSED = 2.0


def analyze(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_units_of_a_person(tmp_path):
    for name in ("kezd", "kez"):
        program(tmp_path / ".local" / "bin" / name)
    units = [str(path) for path in (SYSTEMD / "user").iterdir()]
    assert len(units) == 3
    done = analyze(tmp_path, "--user", "verify", "--man=no", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_the_units_of_a_server(tmp_path):
    fake = program(tmp_path / "program")
    units = []
    for unit in (SYSTEMD / "system").glob("*.service"):
        lines = [
            f"ExecStart={fake}" if x.startswith("ExecStart=") else x for x in unit.read_text().splitlines()
        ]
        units.append(tmp_path / unit.name)
        units[-1].write_text("\n".join(lines) + "\n")
    assert len(units) == 3
    done = analyze(tmp_path, "verify", "--man=no", *map(str, units))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(
    "name",
    [
        "user/kezd.service",
        "user/kezd-notify.service",
        "system/kezd-home.service",
        "system/kezd-sigchain.service",
        "system/nats.service",
    ],
)
def test_units_are_closed(tmp_path, name):
    unit = SYSTEMD / name
    user = ["--user"] if unit.parent.name == "user" else []
    done = analyze(tmp_path, "security", *user, "--offline=yes", str(unit))
    exposure = float(done.stdout.rsplit("exposure level for", 1)[1].split()[1])
    assert exposure < MOST_EXPOSED, done.stdout


# --- a real service manager, where one can be started ---------------------------------


@pytest.fixture(scope="module")
def manager():
    reason = why_not()
    if reason and os.environ.get("CI", "").lower() == "true" and "KEZD_NO_MOUNTS" not in os.environ:
        pytest.fail(f"{reason}, and .ci/run did not say that this container may not mount", pytrace=False)
    if reason:
        pytest.skip(reason)
    with UserManager.running() as manager:
        units = manager.home / ".config" / "systemd" / "user"
        places = manager.home / ".local" / "bin"
        manager.run("mkdir", "-p", str(units), str(places))
        for name in ("kezd.service", "kezd.socket"):
            manager.run("cp", str(SYSTEMD / "user" / name), str(units / name))
        manager.run("ln", "-s", str(BIN / "kezd"), str(places / "kezd"))
        manager.systemctl("daemon-reload")
        yield manager
        manager.systemctl("stop", "kezd.service", "kezd.socket")


def inside(manager: UserManager, command: str) -> str:
    """What a shell in the running service's namespaces says."""
    pid = manager.show("kezd.service", "MainPID")
    enter = ("nsenter", "-t", pid, "-m", "-U", "--preserve-credentials", "sh", "-c", command)
    return manager.run(*enter).stdout.strip()


@pytest.mark.needs("systemctl", "unshare", "nsenter", "setpriv")
def test_a_real_manager_runs_the_peer_in_its_sandbox(manager):
    manager.systemctl("start", "kezd.service")
    assert manager.show("kezd.service", "StatusText") == "default: empty"
    health = json.loads(manager.run(str(BIN / "kez"), "status", "--json").stdout)
    assert str(health["pid"]) == manager.show("kezd.service", "MainPID")
    words = manager.home / "words"
    secret = manager.home / "secret"
    manager.run("sh", "-c", f"umask 077; echo a passphrase > {secret}")
    # A vault, a database, argon2, libsodium and SQLCipher, all under the filter and without W^X exceptions.
    made = manager.run(
        str(BIN / "kez"), "register", "sandy", "--words-file", str(words), "--passphrase-file", str(secret)
    )  # fmt: skip
    assert made.returncode == 7, made.stderr  # there is no home here; the identity itself was made
    assert manager.show("kezd.service", "ActiveState") == "active"
    assert inside(manager, "touch ~/.local/share/kezd/x && echo yes") == "yes"
    assert inside(manager, "touch $XDG_RUNTIME_DIR/kezd/x && echo yes") == "yes"
    for closed in ("~/x", "$XDG_RUNTIME_DIR/x", "/usr/x", "/sys/fs/cgroup/x"):
        assert inside(manager, f"touch {closed} && echo yes") == "", closed
    assert inside(manager, "test -S $XDG_RUNTIME_DIR/bus && echo yes") == "yes", "the keyring's bus"
    status = Path(f"/proc/{health['pid']}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    manager.systemctl("stop", "kezd.service")
    assert manager.show("kezd.service", "Result") == "success"


@pytest.mark.needs("systemctl", "unshare", "nsenter", "setpriv")
def test_a_real_manager_starts_the_peer_at_the_first_call(manager):
    manager.systemctl("start", "kezd.socket")
    path = manager.runtime / "kezd" / "kezd.sock"
    before = path.stat().st_ino
    assert manager.show("kezd.service", "ActiveState") == "inactive"
    health = json.loads(manager.run(str(BIN / "kez"), "status", "--json").stdout)
    assert str(health["pid"]) == manager.show("kezd.service", "MainPID")
    manager.systemctl("stop", "kezd.service")
    assert path.stat().st_ino == before
    manager.systemctl("stop", "kezd.socket")


@pytest.mark.needs("systemctl", "unshare", "nsenter", "setpriv")
def test_notifications_reach_the_peer_and_the_bus_from_their_sandbox(manager):
    units = manager.home / ".config" / "systemd" / "user"
    instead = units / "kezd-notify.service.d" / "test.conf"
    closed = "for place in ~/.local/share/kezd ~; do if touch $place/x; then exit 9; fi; done"
    tries = f"{BIN}/kez status; test -S $XDG_RUNTIME_DIR/bus; {closed}"
    text = f"[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart=/bin/sh -ec '{tries}'\n"
    manager.run("mkdir", "-p", str(instead.parent))
    manager.run("cp", str(SYSTEMD / "user" / "kezd-notify.service"), str(units))
    manager.run("sh", "-c", f'printf %s "$1" > {instead}', "sh", text)
    manager.systemctl("daemon-reload")
    manager.systemctl("start", "kezd.service")
    manager.systemctl("start", "kezd-notify.service")
    assert manager.show("kezd-notify.service", "Result") == "success"
    manager.systemctl("stop", "kezd.service")


# --- socket activation without a manager -----------------------------------------------


@pytest.mark.needs("systemd-socket-activate")
def test_the_first_call_starts_it_and_the_socket_stays_systemds(tmp_path):
    home = tmp_path / "p"
    (home / "run").mkdir(parents=True, mode=0o700)
    (home / "run").chmod(0o700)
    home.chmod(0o700)
    path = home / "run" / "kezd.sock"
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("KEZD_", "XDG_", "NOTIFY_", "LISTEN_"))},
        "KEZD_HOME": str(home),
        "KEZD_HOME_URL": "http://127.0.0.1:9",
    }
    command = [
        "systemd-socket-activate", f"--listen={path}", "-E", "KEZD_HOME", "-E", "KEZD_HOME_URL", "-E", "PATH",
        str(BIN / "kezd"),
    ]  # fmt: skip
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        path.chmod(0o600)
        assert not (home / "data").exists(), "nothing runs before somebody calls"
        before = path.stat().st_ino
        done = subprocess.run(
            [str(BIN / "kez"), "status", "--json"], env=environ, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert json.loads(done.stdout)["pid"] == process.pid, done.stderr
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()
    assert path.stat().st_ino == before
    with socket.socket(socket.AF_UNIX) as late, pytest.raises(ConnectionRefusedError):
        late.connect(str(path))
