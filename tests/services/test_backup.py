"""Backups through pipes and into files, ends that stand still, disks that are full."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from kezd.errors import KezdError, Slug
from kezd.runtime.new_file import new_file
from kezd.runtime.passed_file import PassedFile
from kezd.services.backup.backups import Subject, create_backup, examine, unpacked_backup
from kezd.services.backup.export import file_name, visible
from kezd.store.database import connect, migrate

KEY = bytes(range(32))
PASSPHRASE = "a passphrase for tests"
RECORD = b"r" * 113


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    path = tmp_path / "peer.db"
    with closing(connect(path, KEY)) as db:
        migrate(db)
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO events (topic, body, created_at) VALUES ('t', ?, 0)",
            (("x" * 900,) for _ in range(2000)),
        )
        db.execute("COMMIT")
    return Subject("default", path, KEY, RECORD, "test", 1234.0)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "scratch"
    directory.mkdir(mode=0o700)
    yield directory
    assert not list(directory.iterdir()), "nothing is left there, whatever happened"


def ignore(_done: int, _total: int, _text: str) -> None:
    return


async def test_progress_goes_up_to_the_end(subject: Subject, scratch: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    with trio.fail_after(30):
        manifest, size = await create_backup(
            subject, PASSPHRASE, tmp_path / "b", scratch, lambda done, _total, _text: seen.append(done)
        )
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert size == (tmp_path / "b").stat().st_size > manifest.database_bytes


async def test_through_a_pipe(subject: Subject, scratch: Path) -> None:
    """Neither end is a file, and neither may block the other for ever."""
    reading, writing = os.pipe()
    found: list[tuple[bytes, int]] = []

    async def make() -> None:
        with PassedFile(writing) as file:
            await create_backup(subject, PASSPHRASE, file, scratch, ignore)

    async def take() -> None:
        with PassedFile(reading) as file:
            async with unpacked_backup(file, PASSPHRASE, scratch, ignore) as unpacked:
                contents = await examine(unpacked, KEY)
                found.append((unpacked.record, contents.events))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make)
            nursery.start_soon(take)
    assert found == [(RECORD, 2000)]


async def test_a_reader_that_stands_still_keeps_nobody(subject: Subject, scratch: Path) -> None:
    reading, writing = os.pipe()
    with trio.fail_after(10), PassedFile(reading):
        with PassedFile(writing) as file, trio.move_on_after(1) as scope:
            await create_backup(subject, PASSPHRASE, file, scratch, ignore)
        assert scope.cancelled_caught


async def test_a_reader_that_went_away_is_told(subject: Subject, scratch: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with trio.fail_after(10), PassedFile(writing) as file, pytest.raises(KezdError) as gone:
        await create_backup(subject, PASSPHRASE, file, scratch, ignore)
    assert gone.value.slug is Slug.FILE_FAILED


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
async def test_a_full_disk_is_told(subject: Subject, scratch: Path) -> None:
    with (
        trio.fail_after(10),
        PassedFile(os.open("/dev/full", os.O_WRONLY)) as file,
        pytest.raises(KezdError) as full,
    ):
        await create_backup(subject, PASSPHRASE, file, scratch, ignore)
    assert full.value.slug is Slug.DISK_FULL


async def test_what_fails_leaves_no_file(subject: Subject, scratch: Path, tmp_path: Path) -> None:
    target = tmp_path / "b"
    with trio.fail_after(10):
        with trio.move_on_after(0.001):
            await create_backup(subject, PASSPHRASE, target, scratch, ignore)
    with pytest.raises(KezdError) as refused:
        await create_backup(subject, "short", target, scratch, ignore)
    assert refused.value.detail == {"field": "passphrase"}
    assert sorted(path.name for path in tmp_path.iterdir() if "peer" not in path.name) == ["scratch"]


def test_new_files_follow_no_links_and_overwrite_nothing(tmp_path: Path) -> None:
    target, other = tmp_path / "b", tmp_path / "other"
    other.write_text("precious")
    target.symlink_to(other)
    with pytest.raises(KezdError) as exists, new_file(target) as file:
        file.write(b"x")
    assert exists.value.slug is Slug.FILE_EXISTS
    with new_file(target, replace=True) as file:
        file.write(b"new")
    assert other.read_text() == "precious"
    assert not target.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("bob@kez.lat", "bob@kez.lat-abababab"),
        ("../../etc/passwd", "_.._etc_passwd-abababab"),
        ("..", "unknown-abababab"),
        (None, "unknown-abababab"),
        ("a\x00b\u202e/c", "a_b__c-abababab"),
        ("-rf", "rf-abababab"),
        ("x" * 500, "x" * 60 + "-abababab"),
    ],
)
def test_hostile_handles_are_no_paths(handle: str | None, name: str) -> None:
    assert file_name(handle, "ab" * 32) == name


def test_foreign_text_hides_nothing() -> None:
    assert visible("a\u202eb\x1b[2J\u200bc\nd\ud800") == "a\\u{202e}b\\u{1b}[2J\\u{200b}c\nd\\u{d800}"
