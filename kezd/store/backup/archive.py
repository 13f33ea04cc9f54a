"""What is inside the container of a backup: a manifest, the vault's record, a database.

    4-byte big-endian length, manifest as JSON; the record; the database to the end

Not here: keys and frames (`container`). The database keeps the key it has on disk, which
is in the record, so that unpacking writes nothing readable.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kezd.errors import Slug, StoreError
from kezd.store.backup.container import SealedReader, SealedWriter
from kezd.store.backup.snapshot import Contents

FORMAT: Final = 1
MANIFEST_MAX: Final = 64 * 1024
RECORD_MAX: Final = 1024 * 1024
PIECE: Final = 1024 * 1024

Progress = Callable[[int, int], None]
"""Bytes done and in all; may raise to end the work."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. Times are unix seconds."""

    format: int
    created_at: float
    kezd: str
    profile: str
    contents: Contents
    record_bytes: int
    database_bytes: int


def pack(writer: SealedWriter, manifest: Manifest, record: bytes, database: Path, progress: Progress) -> None:
    """Write all of a backup and finish it."""
    text = msgspec.json.encode(manifest)
    assert len(text) <= MANIFEST_MAX, "or nobody could read it again"
    assert len(record) <= RECORD_MAX, "or nobody could read it again"
    writer.write(len(text).to_bytes(4, "big") + text + record)
    done = 0
    with database.open("rb") as file:
        while piece := file.read(PIECE):
            writer.write(piece)
            done += len(piece)
            progress(done, manifest.database_bytes)
    assert done == manifest.database_bytes, "the copy does not change"
    writer.finish()


def unpack(reader: SealedReader, database: Path, progress: Progress) -> tuple[Manifest, bytes]:
    """Read all of a backup to its very end; the database goes to a new file.

    Returns:
        The manifest and the vault's record.

    Raises:
        StoreError: `backup_damaged`; `schema_too_new` for a format of a newer kezd.
    """
    manifest = _read_manifest(reader)
    record = reader.read_exactly(manifest.record_bytes)
    done = 0
    with database.open("xb") as file:
        while piece := reader.read(PIECE):
            file.write(piece)
            done += len(piece)
            progress(done, manifest.database_bytes)
    if done != manifest.database_bytes:
        raise StoreError(Slug.BACKUP_DAMAGED, "the database in it is not whole")
    return manifest, record


def _read_manifest(reader: SealedReader) -> Manifest:
    size = int.from_bytes(reader.read_exactly(4), "big")
    if size > MANIFEST_MAX:
        raise StoreError(Slug.BACKUP_DAMAGED)
    text = reader.read_exactly(size)
    try:
        kind = msgspec.json.decode(text).get("format")
        if isinstance(kind, int) and kind > FORMAT:
            raise StoreError(Slug.SCHEMA_TOO_NEW, f"the backup has format {kind}, this kezd knows {FORMAT}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError) as error:
        raise StoreError(Slug.BACKUP_DAMAGED, "the backup's manifest is damaged") from error
    if manifest.record_bytes > RECORD_MAX:
        raise StoreError(Slug.BACKUP_DAMAGED)
    return manifest
