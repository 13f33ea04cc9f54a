"""Where the peer keeps things: XDG directories, or all of it under `KEZD_HOME`.

Knows names and modes, reads no file. Invariants: what is made here is 0700 and ours, and
a directory that others can read or swap is refused, never repaired in silence.

    with KEZD_HOME=H:   H/config.toml  H/data  H/state  H/run
    without:            $XDG_CONFIG_HOME/kezd/config.toml  $XDG_DATA_HOME/kezd
                        $XDG_STATE_HOME/kezd  $XDG_RUNTIME_DIR/kezd (else state/run)
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kezd.errors import RequestError, Slug, StoreError

SOCKET_PATH_BYTES = 107
"""Longest path of a Unix socket on Linux, without the final zero."""
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class ProfilePaths:
    """The files of one profile; `directory` is private."""

    name: str
    directory: Path

    @property
    def database(self) -> Path:
        """The SQLCipher database."""
        return self.directory / "peer.db"


@dataclass(frozen=True, slots=True)
class Paths:
    """The directories of one peer. Nothing is made until `create`."""

    config_file: Path
    data: Path
    state: Path
    runtime: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Paths":
        """The directories that the environment names (XDG Base Directory 0.8; relative XDG values count as unset)."""
        if home := environ.get("KEZD_HOME"):
            base = Path(home).expanduser().absolute()
            return cls(base / "config.toml", base / "data", base / "state", base / "run")
        user = Path(environ.get("HOME") or "~").expanduser()
        config = _xdg(environ, "XDG_CONFIG_HOME", user / ".config") / "kezd"
        data = _xdg(environ, "XDG_DATA_HOME", user / ".local/share") / "kezd"
        state = _xdg(environ, "XDG_STATE_HOME", user / ".local/state") / "kezd"
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        return cls(
            config / "config.toml",
            data,
            state,
            Path(runtime) / "kezd" if runtime[:1] == "/" else state / "run",
        )

    @property
    def socket(self) -> Path:
        """The RPC socket."""
        return self.runtime / "kezd.sock"

    @property
    def lock_file(self) -> Path:
        """What a running peer holds locked: one instance for these data."""
        return self.data / "kezd.lock"

    @property
    def log_file(self) -> Path:
        """The rotating log."""
        return self.state / "kezd.log"

    def profile(self, name: str) -> ProfilePaths:
        """Paths of a profile.

        Raises:
            RequestError: `unknown_profile` when the name is not 1 to 32 of a-z 0-9 _ -.
        """
        if not _PROFILE.fullmatch(name):
            raise RequestError(Slug.UNKNOWN_PROFILE, "a profile's name is 1 to 32 of a-z 0-9 _ -")
        return ProfilePaths(name, self.data / "profiles" / name)

    def create(self) -> None:
        """Make the directories that are missing and verify the others.

        Raises:
            StoreError: `unsafe_path`.
        """
        for directory in (self.data, self.state, self.runtime):
            ensure_private_directory(directory)
        if len(os.fsencode(self.socket)) > SOCKET_PATH_BYTES:
            raise StoreError(
                Slug.UNSAFE_PATH,
                f"the socket's path is over {SOCKET_PATH_BYTES} bytes long: {self.socket}",
                hint="choose a shorter KEZD_HOME",
            )


def _xdg(environ: Mapping[str, str], name: str, default: Path) -> Path:
    value = environ.get(name, "")
    return Path(value) if value[:1] == "/" else default


def ensure_private_directory(directory: Path) -> None:
    """Make `directory` (0700, parents too) or verify that it is a real one, ours and private.

    Raises:
        StoreError: `unsafe_path` when it is a link or no directory, belongs to somebody
            else, has any mode bit for group or others, or lies in a directory in which
            everybody may rename things; `store_failed` when it cannot be made.
    """
    missing = [d for d in (directory, *directory.parents) if not os.path.lexists(d)]
    try:
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        parents = [(d, d.stat()) for d in directory.parents]
    except OSError as error:
        raise StoreError(
            Slug.STORE_FAILED,
            f"cannot make {directory}: {error.strerror}",
            hint="choose a directory that you can write to: KEZD_HOME, or --home-dir",
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(Slug.UNSAFE_PATH, f"{directory} is not a directory (links are not followed)")
    if found.st_uid != os.getuid():
        raise StoreError(Slug.UNSAFE_PATH, f"{directory} belongs to another user")
    if found.st_mode & 0o077:
        raise StoreError(
            Slug.UNSAFE_PATH, f"{directory} is open to other users", hint=f"chmod 700 {directory}"
        )
    for parent, info in parents:
        if info.st_mode & stat.S_IWOTH and not info.st_mode & stat.S_ISVTX:
            raise StoreError(
                Slug.UNSAFE_PATH, f"everybody can replace {directory}, because {parent} is writable to all"
            )
