"""The socket in the file system: made so that nobody else can ever open it.

The directory is ours and private, the socket is born 0600 under a umask (no chmod
afterwards), and a socket file left over by a killed daemon is dialled before it is
removed. Who may be the one daemon is decided elsewhere, by a lock held before this runs.
A socket handed over by systemd is used as it is and never removed.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kezd.errors import Slug, StoreError
from kezd.runtime.paths import ensure_private_directory

BACKLOG = 128
SOCKET_UMASK = 0o177


@contextmanager
def bound_listener(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path`, removed again at the end.

    Raises:
        StoreError: `unsafe_path` when the directory is not private to us, `already_running`
            when somebody answers at `path`.
    """
    ensure_private_directory(path.parent)
    if path.exists() or path.is_symlink():
        _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_umask = os.umask(SOCKET_UMASK)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(old_umask)
    inode = path.lstat().st_ino
    try:
        listener.listen(BACKLOG)
        yield listener
    finally:
        listener.close()
        _remove_own(path, inode)


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise StoreError(Slug.UNSAFE_PATH, f"{path} is in the way and not a socket", hint="move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError as error:
            raise StoreError(Slug.ALREADY_RUNNING, f"somebody holds {path} and does not answer") from error
    raise StoreError(Slug.ALREADY_RUNNING, f"a daemon answers at {path}")


def _remove_own(path: Path, inode: int) -> None:
    """Remove the socket unless another one has taken its place."""
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        return
