"""Making, checking and unpacking backups: the blocking work in a thread, with progress and an early end.

Not here: vaults and profiles; the composition root hands over the record's bytes and
takes what comes out. Invariants: the peer goes on while a backup is made; a file is whole
or not there; memory does not grow with the database.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from kezd.errors import RequestError, Slug
from kezd.runtime.new_file import file_error, new_file
from kezd.runtime.passed_file import PassedFile
from kezd.store.backup.archive import FORMAT, Manifest, pack, unpack
from kezd.store.backup.container import SealedReader, SealedWriter, Sink
from kezd.store.backup.snapshot import Contents, become_new_installation, copy_database, examine_database

Report = Callable[[int, int, str], None]
"""Done, total and what is being done; called in Trio's thread."""

SHORTEST_PASSPHRASE: Final = 10
"""Characters: a backup lies where others may try for years."""
DATABASE: Final = "peer.db"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is backed up.

    Attributes:
        profile: its name.
        database: where it is.
        key: the database's, 32 bytes.
        record: the vault's content, encoded.
        version: of this kezd.
        now: unix seconds.
    """

    profile: str
    database: Path
    key: bytes
    record: bytes
    version: str
    now: float

    def __repr__(self) -> str:
        return f"Subject({self.profile!r}, redacted)"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A backup that was read to its end, in a directory of ours.

    Attributes:
        directory: holds the database alone, as a profile's directory does.
        manifest: what it says of itself.
        record: the vault's content, encoded.
        size: bytes of the backup.
    """

    directory: Path
    manifest: Manifest
    record: bytes
    size: int

    @property
    def database(self) -> Path:
        """The unpacked database, still under its own key."""
        return self.directory / DATABASE

    def __repr__(self) -> str:
        return "Unpacked(redacted)"


def check_passphrase(passphrase: str) -> None:
    """Refuse what is guessed in an afternoon.

    Raises:
        RequestError: `invalid_argument`.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"a backup's passphrase has at least {SHORTEST_PASSPHRASE} characters",
            hint="take five or six words at random",
            detail={"field": "passphrase"},
        )


async def create_backup(
    subject: Subject,
    passphrase: str,
    target: Path | PassedFile,
    scratch: Path,
    report: Report,
    *,
    replace: bool = False,
) -> tuple[Manifest, int]:
    """Write a backup of the state of now to a new file, or into one that is open already.

    Args:
        subject: what is backed up.
        passphrase: seals it.
        target: of the file.
        scratch: a private directory with room for a copy of the database.
        report: told how far it is.
        replace: overwrite a file that is at the path.

    Returns:
        The manifest, and the backup's bytes.

    Raises:
        RequestError: `file_exists`, `invalid_argument`.
        StoreError: `disk_full`, `file_failed`, `store_failed`.
    """
    check_passphrase(passphrase)

    def work() -> tuple[Manifest, int]:
        with opened_target(target, replace=replace) as file:
            return _create(subject, passphrase, file, scratch, Reporter(report))

    return await trio.to_thread.run_sync(work)


@contextmanager
def opened_target(target: Path | PassedFile, *, replace: bool = False) -> Iterator[Sink]:
    """What to write to; whole and durable at the end of the block, or not there."""
    if isinstance(target, Path):
        with new_file(target, replace=replace) as file:
            yield file
        return
    try:
        yield target
        target.sync()
    except OSError as error:
        raise file_error(error, "cannot write to the file that was passed") from error


@asynccontextmanager
async def unpacked_backup(
    source: Path | PassedFile, passphrase: str, scratch: Path, report: Report
) -> AsyncIterator[Unpacked]:
    """A backup unpacked for the length of the block; every frame was authenticated by then.

    Raises:
        AccessError: `wrong_passphrase`.
        StoreError: `backup_damaged`, `schema_too_new`, `file_failed`, `disk_full`.
    """

    def work(directory: Path) -> Unpacked:
        try:
            with _opened_source(source) as file:
                reader = SealedReader(file, passphrase)
                progress = Reporter(report).steps("reading the backup", 0, 1)
                manifest, record = unpack(reader, directory / DATABASE, progress)
                return Unpacked(directory, manifest, record, file.count)
        except OSError as error:
            raise file_error(error, "cannot read the backup") from error

    with _scratch_directory(scratch, "restore-") as directory:
        yield await trio.to_thread.run_sync(work, directory)


@contextmanager
def _opened_source(source: Path | PassedFile) -> Iterator[PassedFile]:
    if isinstance(source, PassedFile):
        yield source  # its owner closes it
        return
    with PassedFile(os.open(source, os.O_RDONLY | os.O_CLOEXEC)) as file:
        yield file


async def examine(unpacked: Unpacked, key: bytes) -> Contents:
    """Look through every page of the database in it.

    Raises:
        StoreError: `backup_damaged`, `schema_too_new`.
    """
    return await trio.to_thread.run_sync(examine_database, unpacked.database, key)


async def make_new_installation(unpacked: Unpacked, key: bytes, now: float) -> None:
    """Let the unpacked database be that of another installation; see `become_new_installation`."""
    await trio.to_thread.run_sync(become_new_installation, unpacked.database, key, now)


def _create(
    subject: Subject, passphrase: str, file: Sink, scratch: Path, reporter: "Reporter"
) -> tuple[Manifest, int]:
    with _scratch_directory(scratch, "backup-") as directory:
        copy = directory / DATABASE
        progress = reporter.steps("copying the database", 0, 2)
        contents = copy_database(subject.database, subject.key, copy, progress)
        size = copy.stat().st_size
        manifest = Manifest(
            format=FORMAT,
            created_at=subject.now,
            kezd=subject.version,
            profile=subject.profile,
            contents=contents,
            record_bytes=len(subject.record),
            database_bytes=size,
        )
        try:
            writer = SealedWriter(file, passphrase)
            pack(writer, manifest, subject.record, copy, reporter.steps("writing the backup", 1, 2))
        except OSError as error:
            raise file_error(error, "cannot write the backup") from error
        return manifest, writer.written


@contextmanager
def _scratch_directory(scratch: Path, prefix: str) -> Iterator[Path]:
    """A private directory that goes with everything in it, unless it was moved away."""
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=scratch))
    try:
        yield directory
    finally:
        if directory.exists():
            shutil.rmtree(directory)


class Reporter:
    """Carries progress from the working thread to Trio's, now and then, and an early end back."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def steps(self, text: str, step: int, of: int) -> Callable[[int, int], None]:
        """What a worker calls with (done, total) in step `step` of `of` steps of one length."""
        told = -1

        def progress(done: int, total: int) -> None:
            nonlocal told
            trio.from_thread.check_cancelled()
            percent = 100 * (step * total + done) // (max(total, 1) * of)
            if percent != told:
                told = percent
                trio.from_thread.run_sync(self._report, percent, 100, text)

        return progress
