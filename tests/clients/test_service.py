"""`kez service`: what it writes and runs, that it leaves edited units alone, that the wheel has the units."""

import json
import os
import plistlib
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kez_cli.units import Places, agent, is_ours, service_unit, signed
from kezd.testing.user_manager import UserManager, why_not

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'


class Person:
    """A home of its own, and programs on PATH that write down how they were called."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.calls = directory / "calls"
        programs = directory / "bin"
        for path in (self.home, programs):
            path.mkdir()
        for name in ("systemctl", "loginctl", "journalctl"):
            program = programs / name
            program.write_text(RECORDER)
            program.chmod(0o755)
        self.environ = {
            "HOME": str(self.home), "PATH": f"{programs}:/usr/bin:/bin", "CALLS": str(self.calls),
            "XDG_RUNTIME_DIR": str(directory), "NO_COLOR": "1",
        }  # fmt: skip

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / "kezd.service"

    def kez(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(BIN / "kez"), *arguments], env={**self.environ, **more}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def called(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return lines


@pytest.fixture
def person(tmp_path):
    return Person(tmp_path)


def test_install_writes_the_unit_and_starts_it(person):
    done = person.kez("service", "install")
    assert done.returncode == 0, done.stderr
    text = person.unit.read_text()
    assert f"\nExecStart={BIN}/kezd\n" in text
    assert f"\nReadWritePaths={person.home}/.local/share/kezd {person.home}/.local/state/kezd\n" in text
    assert person.called() == ["systemctl --user daemon-reload", "systemctl --user enable --now kezd.service"]
    assert str(person.unit) in done.stdout
    assert "kez service uninstall" in done.stdout


def test_install_twice_is_install_once(person):
    person.kez("service", "install")
    before = person.unit.read_bytes()
    done = person.kez("service", "install")
    assert done.returncode == 0
    assert "kept" in done.stdout
    assert person.unit.read_bytes() == before


def test_an_edited_unit_is_left_alone(person):
    person.kez("service", "install")
    person.called()
    edited = person.unit.read_text().replace("WatchdogSec=120", "WatchdogSec=999")
    person.unit.write_text(edited)
    for verb in ("install", "uninstall"):
        done = person.kez("service", verb)
        assert done.returncode == 6
        assert "--force" in done.stderr
        assert person.unit.read_text() == edited
    assert person.called() == []
    assert person.kez("service", "install", "--force").returncode == 0
    assert is_ours(person.unit.read_text())


def test_socket_linger_and_uninstall(person):
    done = person.kez("service", "install", "--socket", "--linger")
    assert done.returncode == 0, done.stderr
    assert person.called() == [
        "systemctl --user daemon-reload",
        "systemctl --user disable --now kezd.service",
        "systemctl --user enable --now kezd.socket",
        "loginctl enable-linger",
    ]
    assert person.unit.with_name("kezd.socket").exists()
    assert person.kez("service", "uninstall").returncode == 0
    assert list(person.unit.parent.iterdir()) == []
    assert person.called() == [
        "systemctl --user disable --now kezd.socket",
        "systemctl --user disable --now kezd.service",
        "systemctl --user daemon-reload",
    ]
    assert person.kez("service", "uninstall").returncode == 0


def test_a_home_of_its_own_and_directories_with_odd_names(person, tmp_path):
    odd = tmp_path / 'a b%h"$X'
    done = person.kez("service", "install", "--write", str(tmp_path / "back ups"), KEZD_HOME=str(odd))
    assert done.returncode == 0, done.stderr
    text = person.unit.read_text()
    escaped = str(odd).replace("%", "%%").replace('"', '\\"').replace("$", "$$")
    assert f'Environment="KEZD_HOME={escaped}"' in text
    assert f'ReadWritePaths="{escaped}" "{tmp_path}/back ups"' in text
    assert "BindPaths=%t" not in text


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_what_is_written(person, tmp_path):
    for more in ({}, {"KEZD_HOME": str(tmp_path / "a b")}, {"XDG_DATA_HOME": str(tmp_path / "x y")}):
        person.kez("service", "install", "--socket", "--force", **more)
        units = [str(person.unit), str(person.unit.with_name("kezd.socket"))]
        done = subprocess.run(
            ["systemd-analyze", "--user", "verify", "--man=no", *units], env=person.environ,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_logs_without_a_journal_come_from_the_file(person):
    state = person.home / "k" / "state"
    state.mkdir(parents=True)
    (state / "kezd.log").write_text("one\ntwo\n")
    done = person.kez("service", "logs", "-n", "1", KEZD_HOME=str(person.home / "k"))
    assert done.stdout == "two\n"


def test_without_systemd_it_says_so(person):
    done = person.kez("service", "status", PATH="/nowhere")
    assert done.returncode == 7
    assert "there is no systemctl here" in done.stderr


def test_the_launchd_agent_is_one():
    where = Places("", "/Users/a&b/data", "/Users/a&b/state")
    told = plistlib.loads(agent("/opt/<kezd>", where).encode())
    assert told["ProgramArguments"] == ["/opt/<kezd>"]
    assert told["StandardErrorPath"] == "/Users/a&b/state/launchd.log"
    assert told["Label"] == "lat.kez.kezd"
    assert told["Umask"] == stat.S_IRWXG | stat.S_IRWXO


def test_a_unit_of_somebody_else_is_not_ours():
    ours = service_unit("/bin/kezd", Places("", "/d", "/s"), {}, [])
    assert is_ours(ours)
    assert not is_ours(ours + "\n")
    assert not is_ours("[Service]\n")
    assert is_ours(signed("x"))


def test_the_wheel_carries_the_units(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "user/kezd.service",
        "user/kezd.socket",
        "launchd/lat.kez.kezd.plist",
        "system/nats.service",
    ):
        assert f"kez_cli/units/{name}" in names
    inside = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(inside)
    program = "from kez_cli.units import template; print(template('user', 'kezd.socket'), end='')"
    told = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(inside)}, capture_output=True,
        text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert told.stdout == (ROOT / "systemd" / "user" / "kezd.socket").read_text()


@pytest.mark.needs("systemctl", "unshare", "nsenter", "setpriv")
def test_install_and_uninstall_with_a_real_manager():
    if reason := why_not():
        pytest.skip(reason)
    with UserManager.running() as manager:
        done = manager.run(str(BIN / "kez"), "service", "install")
        assert done.returncode == 0, done.stderr + manager.log()
        status = json.loads(manager.run(str(BIN / "kez"), "--json", "service", "status").stdout)
        assert status["units"]["kezd.service"]["ActiveState"] == "active"
        assert str(status["health"]["pid"]) == status["units"]["kezd.service"]["MainPID"]
        again = manager.run(str(BIN / "kez"), "service", "install", "--socket")
        assert again.returncode == 0, again.stderr
        assert manager.show("kezd.service", "ActiveState") == "inactive"
        assert manager.run(str(BIN / "kez"), "status").returncode == 0
        assert manager.show("kezd.service", "ActiveState") == "active"
        done = manager.run(str(BIN / "kez"), "service", "uninstall")
        assert done.returncode == 0, done.stderr
        assert manager.run(str(BIN / "kez"), "status").returncode == 3
