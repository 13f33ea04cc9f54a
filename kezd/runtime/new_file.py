"""A file that appears whole or not at all: written beside its name, synced, renamed.

Modes are 0600, nothing is followed or overwritten unless that was asked for, and then only
files: no device, pipe or socket. A process that is killed leaves `NAME.<random>.part`,
which is nobody's whole file.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kezd.errors import KezdError, RequestError, Slug, StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""As file systems of memory sticks answer."""


def file_error(error: OSError, what: str) -> KezdError:
    """The error for a file that could not be read or written; `what` begins the message."""
    slug = Slug.DISK_FULL if error.errno in _FULL else Slug.FILE_FAILED
    return StoreError(slug, f"{what}: {error.strerror or error}")


def absolute(text: str, field: str = "path") -> Path:
    """A path that a client named; it must be absolute, since our directory is not the client's.

    Raises:
        RequestError: `invalid_argument`.
    """
    if not text.startswith("/") or "\0" in text:
        raise RequestError(
            Slug.INVALID_ARGUMENT, f"`{field}` must be an absolute path", detail={"field": field}
        )
    return Path(text)


def refuse_existing(path: Path) -> None:
    """Nothing may stand at that name.

    Raises:
        RequestError: `file_exists`.
    """
    if os.path.lexists(path):
        raise RequestError(Slug.FILE_EXISTS, f"{path} exists already", detail={"path": str(path)})


@contextmanager
def new_file(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A binary file to be written; at the end of the block it is synced and gets its name.

    When the block raises, nothing is left.

    Args:
        path: absolute.
        replace: take the place of a file that is there.

    Raises:
        RequestError: `file_exists`.
        StoreError: `disk_full`, `file_failed`.
    """
    _refuse_in_the_way(path, replace=replace)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(part, flags, 0o600)
    except OSError as error:
        raise file_error(error, f"cannot write {path}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        if replace:
            part.replace(path)
        else:
            _move_to_free(part, path)
        sync_directory(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise file_error(error, f"cannot write {path}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _refuse_in_the_way(path: Path, *, replace: bool) -> None:
    if not replace:
        refuse_existing(path)
        return
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(error, f"cannot write {path}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise RequestError(Slug.FILE_EXISTS, f"{path} is no file, so it stays", detail={"path": str(path)})


def _move_to_free(part: Path, path: Path) -> None:
    """Give a file its name unless somebody took it meanwhile, as a rename would not notice."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        refuse_existing(path)
        part.replace(path)
    else:
        part.unlink()


def sync_directory(directory: Path) -> None:
    """Make what was renamed in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
