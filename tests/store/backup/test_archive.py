"""What is packed comes out again, with the vault records of today and of before."""

import io
from pathlib import Path

import pytest

from kezd.errors import Slug, StoreError
from kezd.kez.keys import Seed
from kezd.store.argon2 import Argon2
from kezd.store.backup.archive import FORMAT, Manifest, pack, unpack
from kezd.store.backup.container import SealedReader, SealedWriter
from kezd.store.backup.snapshot import Contents
from kezd.store.vault.record import FIRST_SIZE, VaultRecord, decode_record, encode_record

CHEAP = Argon2(8 * 1024, 1, 1, "ab" * 16)
PASSPHRASE = "a passphrase for tests"
RECORD = encode_record(VaultRecord(b"d" * 32, Seed(b"s" * 32)))
CONTENTS = Contents(
    schema=1, primary=None, handle=None, state="none",
    messages=0, conversations=0, contacts=0, events=0, newest_message_at=None,
)  # fmt: skip


def packed(tmp_path: Path, record: bytes, *, form: int = FORMAT, missing: int = 0) -> bytes:
    database = tmp_path / "database"
    database.write_bytes(bytes(200_000))
    out = io.BytesIO()
    manifest = Manifest(
        format=form, created_at=0.0, kezd="test", profile="default", contents=CONTENTS,
        record_bytes=len(record), database_bytes=200_000,
    )  # fmt: skip
    writer = SealedWriter(out, PASSPHRASE, CHEAP)
    if missing:
        text = io.BytesIO()
        whole = SealedWriter(text, PASSPHRASE, CHEAP)
        pack(whole, manifest, record, database, lambda _done, _total: None)
        reader = SealedReader(io.BytesIO(text.getvalue()), PASSPHRASE)
        content = b"".join(iter(lambda: reader.read(1 << 20), b""))
        writer.write(content[:-missing])
        writer.finish()
        return out.getvalue()
    pack(writer, manifest, record, database, lambda _done, _total: None)
    return out.getvalue()


def unpacked(data: bytes, tmp_path: Path) -> tuple[Manifest, bytes]:
    reader = SealedReader(io.BytesIO(data), PASSPHRASE)
    return unpack(reader, tmp_path / "copy", lambda _done, _total: None)


@pytest.mark.parametrize("record", [RECORD, RECORD[:FIRST_SIZE]], ids=["today", "before"])
def test_records_come_out(tmp_path: Path, record: bytes) -> None:
    manifest, found = unpacked(packed(tmp_path, record), tmp_path)
    assert found == record
    assert decode_record(found).db_key == b"d" * 32
    assert manifest.contents == CONTENTS
    assert (tmp_path / "copy").read_bytes() == bytes(200_000)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as newer:
        unpacked(packed(tmp_path, RECORD, form=FORMAT + 1), tmp_path)
    assert newer.value.slug is Slug.SCHEMA_TOO_NEW


@pytest.mark.parametrize("missing", [1, 199_999, 200_000 + len(RECORD)])
def test_what_was_sealed_short_is_not_whole(tmp_path: Path, missing: int) -> None:
    with pytest.raises(StoreError) as damaged:
        unpacked(packed(tmp_path, RECORD, missing=missing), tmp_path)
    assert damaged.value.slug is Slug.BACKUP_DAMAGED
