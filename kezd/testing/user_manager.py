"""A real `systemd --user`, for tests of units, on a machine that was not booted with systemd.

    with UserManager.running() as manager:
        manager.systemctl("start", "kezd.service")

Runs in a mount namespace of its own with a cgroup of its own, as the user `daemon`, and leaves
nothing behind. Needs root, `systemd`, `unshare` and `setpriv`; `why_not()` says what is missing.
The manager's home and runtime directory are below `directory`, which that user owns.
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kezd

USER = "daemon"
SYSTEMD = Path("/lib/systemd/systemd")
READY_SECONDS = 15.0
COMMAND_SECONDS = 60.0

_NAMESPACE = """\
set -e
mkdir -p /run/user /run/systemd
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run/systemd
mount -t tmpfs -o mode=755 none /run/user
mkdir -p "$XDG_RUNTIME_DIR"
mount -t tmpfs -o mode=700,uid=$WHO_ID none "$XDG_RUNTIME_DIR"
mount -t tmpfs none /mnt
number=0
for place in $SHOWN; do
    number=$((number + 1))
    mkdir /mnt/$number
    mount --bind "$place" /mnt/$number
done
for place in $CLOSED; do
    mount -t tmpfs -o mode=755 none "$place"
done
number=0
for place in $SHOWN; do
    number=$((number + 1))
    mkdir -p "$place"
    mount --bind /mnt/$number "$place"
done
mkdir /run/systemd/system /sys/fs/cgroup/$CGROUP /sys/fs/cgroup/$CGROUP/manager
echo $$ > /sys/fs/cgroup/$CGROUP/manager/cgroup.procs
chown -R $WHO /sys/fs/cgroup/$CGROUP
setpriv --reuid=$WHO --regid=$GROUP --clear-groups \
    $SYSTEMD --user --log-target=console --log-level=info --unit=basic.target &
MANAGER=$!
read line || true
kill -TERM $MANAGER
wait $MANAGER || true
echo $$ > /sys/fs/cgroup/cgroup.procs
find /sys/fs/cgroup/$CGROUP -depth -type d -exec rmdir {} \\; || true
"""
_PROBE = "mount -t tmpfs none /run && mount -t cgroup2 none /run"


def why_not() -> str:
    """What this machine lacks for a user manager; empty when nothing."""
    if os.geteuid() != 0:
        return "only root can start another user's service manager"
    missing = [p for p in ("unshare", "nsenter", "setpriv", "systemctl") if shutil.which(p) is None]
    if missing or not SYSTEMD.exists():
        return "no " + ", ".join(missing or [str(SYSTEMD)])
    probed = subprocess.run(["unshare", "-m", "sh", "-c", _PROBE], capture_output=True, check=False)
    return "" if probed.returncode == 0 else "this container lets nobody mount a cgroup hierarchy"


class UserManager:
    """See the module; `running` is the only way to one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pid = 0
        self.home = directory / "home"
        self.runtime = directory
        """The runtime directory as it is seen from outside of the namespace."""
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "LANG"}}
        # There and nowhere else: systemd looks for the parts of its sandbox below /run/user/UID.
        inside = f"/run/user/{pwd.getpwnam(USER).pw_uid}"
        self.environ = {**kept, "HOME": str(self.home), "XDG_RUNTIME_DIR": inside}

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["UserManager"]:
        """Start it, wait until it answers, stop it and everything in it."""
        with tempfile.TemporaryDirectory(prefix="kezd-um-", dir="/home") as name:
            self = cls(Path(name))
            for directory in (self.directory, self.home):
                directory.mkdir(mode=0o700, exist_ok=True)
                shutil.chown(directory, USER, pwd.getpwnam(USER).pw_gid)
            for unit in ("kezd.service", "kezd-notify.service"):
                self._let_see(unit, _in_temporary())
            with (self.directory / "manager.log").open("wb") as log:
                group = str(pwd.getpwnam(USER).pw_gid)
                process = subprocess.Popen(
                    ["unshare", "-m", "sh", "-c", _NAMESPACE],
                    env={
                        **self.environ, "WHO": USER, "GROUP": group, "SYSTEMD": str(SYSTEMD),
                        "CGROUP": self.directory.name, "SHOWN": " ".join(map(str, _shown())),
                        "CLOSED": " ".join(map(str, dict.fromkeys(map(_closed, _shown())))),
                        "WHO_ID": str(pwd.getpwnam(USER).pw_uid),
                    },
                    stdin=subprocess.PIPE, stdout=log, stderr=log,
                )  # fmt: skip
            self._pid = process.pid
            self.runtime = Path(f"/proc/{process.pid}/root{self.environ['XDG_RUNTIME_DIR']}")
            try:
                self._wait_ready(process)
                yield self
            finally:
                _end(process)

    def _let_see(self, unit: str, places: list[Path]) -> None:
        """Let a unit see a checkout that its own /tmp would hide; nothing changes where there is none."""
        if not places:
            return
        drop_ins = self.home / ".config" / "systemd" / "user" / f"{unit}.d"
        drop_ins.mkdir(parents=True)
        lines = "".join(f"BindReadOnlyPaths={place}\n" for place in places)
        (drop_ins / "checkout.conf").write_text(f"[Service]\n{lines}")
        for path in (drop_ins / "checkout.conf", drop_ins, *list(drop_ins.parents)[:3]):
            shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)

    def run(self, *command: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as the manager's user."""
        return subprocess.run(
            [
                "nsenter", "-t", str(self._pid), "-m", "setpriv", f"--reuid={USER}",
                f"--regid={pwd.getpwnam(USER).pw_gid}", "--clear-groups", *command,
            ],
            env={**self.environ, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip

    def systemctl(self, *arguments: str) -> str:
        """What `systemctl --user` prints.

        Raises:
            RuntimeError: it failed.
        """
        done = self.run("systemctl", "--user", "--no-pager", *arguments)
        if done.returncode != 0:
            raise RuntimeError(f"systemctl {' '.join(arguments)}: {done.stderr}{done.stdout}\n{self.log()}")
        return done.stdout

    def show(self, unit: str, prop: str) -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", "-p", prop, unit).strip()

    def log(self) -> str:
        """What the manager and its services said."""
        return (self.directory / "manager.log").read_text(errors="replace")

    def _wait_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (self.runtime / "systemd" / "private").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service manager did not start:\n{self.log()}")
            time.sleep(0.02)
        self.run("systemctl", "--user", "is-system-running", "--wait")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Have the manager stop its units and end; with force when it does not."""
    with contextlib.suppress(BrokenPipeError):
        process.communicate(timeout=COMMAND_SECONDS)


def _needed() -> list[Path]:
    """Python, and the checkout with its environment."""
    checkout = Path(kezd.__file__).resolve().parents[1]
    places = (Path(sys.base_prefix), checkout, Path(sys.prefix))
    return [
        place for place in dict.fromkeys(places) if place == checkout or not place.is_relative_to(checkout)
    ]


def _closed(place: Path) -> Path | None:
    """The first directory on the way to a place that other users may not enter."""
    ways = [*reversed(place.parents), place]
    return next((way for way in ways if not way.stat().st_mode & stat.S_IXOTH), None)


def _shown() -> list[Path]:
    """What is needed and cannot be reached by the manager's user: the namespace shows it, and nothing else of there."""
    return [place for place in _needed() if _closed(place) is not None]


def _in_temporary() -> list[Path]:
    """What is needed and would be hidden by `PrivateTmp=`."""
    hidden = (Path("/tmp"), Path("/var/tmp"))
    return [place for place in _needed() if any(place.is_relative_to(one) for one in hidden)]
