"""Files that `kez` opens and `kezd` writes: the daemon may run where it cannot write to them by name.

Standard library only. Invariants: a file gets its name when it is whole; nothing is
overwritten unless that was asked for; what was begun and not finished is taken away.
"""
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH105, PTH108, PTH118, PTH120, PTH123 - pathlib costs start-up time

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kezd.errors import RequestError, Slug, StoreError

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo


def refuse_existing(path: str) -> None:
    """Nothing may be at that name.

    Raises:
        RequestError: `file_exists`.
    """
    if os.path.lexists(path):
        raise RequestError(Slug.FILE_EXISTS, f"{path} exists already")


@contextmanager
def opened_new(path: str, *, replace: bool = False) -> Iterator[int]:
    """A descriptor to be written to, `-` being stdout; the file is there after the block, when it ends well.

    Raises:
        RequestError: `file_exists`, or stdout is a terminal.
        StoreError: `file_failed`.
    """
    if path == "-":
        if sys.stdout.isatty():
            raise RequestError(
                Slug.INVALID_ARGUMENT, "this is not for a terminal", hint="> FILE, or | PROGRAM"
            )
        yield sys.stdout.fileno()
        return
    if not replace:
        refuse_existing(path)
    part = f"{path}.{os.urandom(4).hex()}.part"
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            yield descriptor
            os.fsync(descriptor)
            if not replace:
                refuse_existing(path)
            os.replace(part, path)
        finally:
            os.close(descriptor)
            if os.path.lexists(part):
                os.unlink(part)
        _sync_directory(os.path.dirname(path) or ".")
    except OSError as error:
        raise StoreError(Slug.FILE_FAILED, f"cannot write {path}: {error.strerror}") from error


@contextmanager
def opened_old(path: str) -> Iterator[int]:
    """A descriptor to be read from, `-` being stdin.

    Raises:
        StoreError: `file_failed`.
    """
    if path == "-":
        yield 0
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise StoreError(Slug.FILE_FAILED, f"cannot read {path}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def archive_unpacked(path: str) -> Iterator[int]:
    """A descriptor for a tar archive, which is unpacked to a new directory after the block.

    Raises:
        RequestError: `file_exists`.
        StoreError: `file_failed`.
    """
    import shutil
    import tarfile

    refuse_existing(path)
    part = f"{path}.{os.urandom(4).hex()}.part"
    try:
        os.mkdir(part, 0o700)
        try:
            with open(os.path.join(part, "archive"), "w+b") as file:
                os.chmod(file.fileno(), 0o600)
                yield file.fileno()
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r") as archive:
                    for member in archive:
                        _unpack(archive, member, part)
            refuse_existing(path)
            os.rename(os.path.join(part, "kez-export"), path)
        finally:
            shutil.rmtree(part)
        _sync_directory(os.path.dirname(path) or ".")
    except OSError as error:
        raise StoreError(Slug.FILE_FAILED, f"cannot write {path}: {error.strerror}") from error


def _unpack(archive: "TarFile", member: "TarInfo", directory: str) -> None:
    """One file; nothing else is in an archive of ours, and no name leads out of it."""
    steps = member.name.split("/")
    source = archive.extractfile(member)
    if source is None or steps[0] != "kez-export" or ".." in steps:
        raise StoreError(Slug.FILE_FAILED, f"the archive holds what it should not: {member.name!r}")
    target = os.path.join(directory, *steps)
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while data := source.read(1 << 20):
            file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
