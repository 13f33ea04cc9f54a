"""Directories are private or refused; one instance; systemd's protocols by the letter."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kezd.errors import RequestError, Slug, StoreError
from kezd.runtime.lock import instance_lock
from kezd.runtime.paths import Paths, ensure_private_directory
from kezd.runtime.systemd import Notifier, listen_sockets, read_credential, watchdog_interval


def test_kezd_home_overrides_all(tmp_path: Path) -> None:
    paths = Paths.from_environment(
        {"KEZD_HOME": str(tmp_path / "h"), "XDG_DATA_HOME": "/nowhere", "HOME": "/nowhere"}
    )
    assert paths.config_file == tmp_path / "h/config.toml"
    assert paths.socket == tmp_path / "h/run/kezd.sock"
    assert paths.profile("work").database == tmp_path / "h/data/profiles/work/peer.db"


def test_xdg_and_its_defaults() -> None:
    bare = Paths.from_environment({"HOME": "/home/a", "XDG_DATA_HOME": "relative/is/unset"})
    assert bare.data == Path("/home/a/.local/share/kezd")
    assert bare.config_file == Path("/home/a/.config/kezd/config.toml")
    assert bare.runtime == Path("/home/a/.local/state/kezd/run")
    full = Paths.from_environment(
        {"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/1", "XDG_STATE_HOME": "/s"}
    )
    assert full.socket == Path("/run/user/1/kezd/kezd.sock")
    assert full.log_file == Path("/s/kezd/kezd.log")


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 33, "-x"])
def test_profile_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError) as caught:
        Paths.from_environment({"KEZD_HOME": str(tmp_path)}).profile(name)
    assert caught.value.slug is Slug.UNKNOWN_PROFILE


def test_directories_are_made_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = Paths.from_environment({"KEZD_HOME": str(tmp_path / "deep/h")})
        paths.create()
        paths.create()
    finally:
        os.umask(before)
    for directory in (tmp_path / "deep", tmp_path / "deep/h", paths.data, paths.state, paths.runtime):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_unsafe_directories_are_refused(tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir(mode=0o750)
    loose.chmod(0o750)
    link = tmp_path / "link"
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    link.symlink_to(private)
    file = tmp_path / "file"
    file.touch(mode=0o600)
    swap = tmp_path / "swap"
    swap.mkdir()
    swap.chmod(0o777)
    for unsafe in (loose, link, file, swap / "inside"):
        with pytest.raises(StoreError) as caught:
            ensure_private_directory(unsafe)
        assert caught.value.slug is Slug.UNSAFE_PATH, unsafe
    ensure_private_directory(private)


def test_a_socket_path_that_no_kernel_takes_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="107"):
        Paths.from_environment({"KEZD_HOME": str(tmp_path / ("x" * 110))}).create()


def test_one_instance(tmp_path: Path) -> None:
    path = tmp_path / "kezd.lock"
    with instance_lock(path):
        with pytest.raises(StoreError) as caught, instance_lock(path):
            raise AssertionError
        assert caught.value.slug is Slug.ALREADY_RUNNING
        assert str(os.getpid()) in caught.value.message
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with instance_lock(path):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "kezd.lock"
    program = (
        "import sys, os; from pathlib import Path; from kezd.runtime.lock import instance_lock\n"
        "with instance_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=str(holder.pid)), instance_lock(path):
        raise AssertionError
    holder.kill()
    holder.communicate()
    with instance_lock(path):
        pass


def test_notify_goes_to_path_and_abstract_sockets(tmp_path: Path) -> None:
    for address, shown in (
        (str(tmp_path / "n"), str(tmp_path / "n")),
        (f"\0kezd-{os.getpid()}", f"@kezd-{os.getpid()}"),
    ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(5)
            notifier = Notifier({"NOTIFY_SOCKET": shown})
            notifier.ready()
            assert manager.recv(100) == b"READY=1"
            notifier.status("two\nlines")
            assert manager.recv(100) == b"STATUS=two lines"
            notifier.alive()
            assert manager.recv(100) == b"WATCHDOG=1"
        notifier.stopping()  # the manager is gone
    Notifier({}).ready()


def test_watchdog_interval() -> None:
    assert watchdog_interval({"WATCHDOG_USEC": "30000000"}, 7) == 30.0
    assert watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 7) == 30.0
    assert watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 7) is None
    assert watchdog_interval({"WATCHDOG_USEC": "soon"}, 7) is None
    assert watchdog_interval({}, 7) is None


def test_passed_sockets_are_taken_only_by_the_process_meant(tmp_path: Path) -> None:
    assert listen_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, os.getpid()) == []
    assert listen_sockets({}, os.getpid()) == []
    program = (
        "import os, sys; from kezd.runtime.systemd import listen_sockets\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "[s] = listen_sockets({'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}, os.getpid())\n"
        "print(s.getsockname(), os.get_inheritable(s.fileno()))"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        done = subprocess.run(
            [sys.executable, "-c", program, str(listener.fileno())],
            pass_fds=(listener.fileno(),), capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout.strip() == f"{tmp_path / 's'} False"


def test_credentials(tmp_path: Path) -> None:
    (tmp_path / "kezd.passphrase").write_bytes(b"secret\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_credential(environ, "kezd.passphrase") == b"secret\n"
    assert read_credential(environ, "other") is None
    assert read_credential({}, "kezd.passphrase") is None
