"""One peer for one data directory, by `flock`.

The lock dies with the process, so nothing stale can be left behind; the file stays, and
holds the pid of whoever locked it last, for the error message only.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kezd.errors import Slug, StoreError


@contextmanager
def instance_lock(path: Path) -> Iterator[None]:
    """Hold the lock for the length of the block; the directory exists already.

    Raises:
        StoreError: `already_running`, with the other one's pid; `store_failed`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(Slug.STORE_FAILED, f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            who = f" (pid {pid})" if pid.isdigit() else ""
            raise StoreError(Slug.ALREADY_RUNNING, f"kezd is already running{who}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
