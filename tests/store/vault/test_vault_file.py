"""Whatever happens to the file's bytes is noticed, cheaply, and told apart from a wrong passphrase."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from kezd.errors import AccessError, Slug
from kezd.kez.keys import Seed
from kezd.store.argon2 import Argon2, derive_key
from kezd.store.vault.record import RECORD_SIZE, VaultRecord, decode_record, encode_record
from kezd.store.vault.vault_file import (
    WrapKind,
    Wrapping,
    open_vault,
    parse_vault,
    seal_vault,
)

KEY = bytes(range(32))
PLAIN = encode_record(VaultRecord(b"d" * 32, Seed(b"s" * 32), None))
ARGON2 = Argon2(8 * 1024, 1, 1, "ab" * 16)
FILE = seal_vault(Wrapping("0" * 32, WrapKind.PASSPHRASE, ARGON2, KEY), PLAIN, b"n" * 24)

records = st.builds(
    VaultRecord,
    st.binary(min_size=32, max_size=32),
    st.none() | st.binary(min_size=32, max_size=32).map(Seed),
    st.none() | st.binary(min_size=16, max_size=16),
)


@given(records)
def test_records_come_back_and_have_one_size(record: VaultRecord) -> None:
    data = encode_record(record)
    assert len(data) == RECORD_SIZE
    assert decode_record(data) == record


def test_a_sealed_file_opens() -> None:
    assert open_vault(parse_vault(FILE), KEY, Slug.WRONG_PASSPHRASE) == PLAIN
    with pytest.raises(AccessError) as caught:
        open_vault(parse_vault(FILE), b"x" * 32, Slug.WRONG_PASSPHRASE)
    assert caught.value.slug is Slug.WRONG_PASSPHRASE


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_flipped_byte_is_damage(place: int, flip: int) -> None:
    data = bytearray(FILE)
    data[place] ^= flip
    assert_damaged(bytes(data))


@given(st.integers(0, len(FILE) - 1))
def test_any_truncation_is_damage(length: int) -> None:
    assert_damaged(FILE[:length])


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_arbitrary_bytes_are_damage(data: bytes) -> None:
    assert_damaged(data)


def assert_damaged(data: bytes) -> None:
    with pytest.raises(AccessError) as caught:
        parse_vault(data)
    assert caught.value.slug is Slug.VAULT_DAMAGED


def rewritten(**changed: Any) -> bytes:
    """The file with other members and a checksum that fits: what somebody with write access makes."""
    members = {k: v for k, v in {**json.loads(FILE), **changed}.items() if k != "checksum"}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    members["checksum"] = hashlib.sha256(text).hexdigest()
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode() + b"\n"


@pytest.mark.parametrize(
    ("changed", "slug"),
    [
        ({"id": "1" * 32}, Slug.VAULT_DAMAGED),
        ({"nonce": "00" * 24}, Slug.VAULT_DAMAGED),
        ({"box": "00" * 97}, Slug.VAULT_DAMAGED),
        ({"wrap": "credential"}, Slug.VAULT_DAMAGED),
        ({"check": "00" * 16}, Slug.WRONG_PASSPHRASE),
        (
            {"argon2": {"memory_kib": 8 * 1024, "passes": 2, "lanes": 1, "salt": "ab" * 16}},
            Slug.VAULT_DAMAGED,
        ),
    ],
)
def test_a_change_with_a_fitting_checksum_is_noticed_by_the_encryption(
    changed: dict[str, Any], slug: Slug
) -> None:
    file = parse_vault(rewritten(**changed))
    with pytest.raises(AccessError) as caught:
        open_vault(file, KEY, Slug.WRONG_PASSPHRASE)
    assert caught.value.slug is slug


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 2},
        {"wrap": "keyring"},
        {"argon2": None},
        {"wrap": "plain"},
        {"extra": 1},
        {"box": "00"},
        {"argon2": {"memory_kib": 2**40, "passes": 3, "lanes": 4, "salt": "ab" * 16}},
        {"argon2": {"memory_kib": 65536, "passes": 10**9, "lanes": 4, "salt": "ab" * 16}},
        {"argon2": {"memory_kib": 1, "passes": 3, "lanes": 4, "salt": "ab" * 16}},
    ],
)
def test_what_no_kezd_writes_is_damage_before_any_work(changed: dict[str, Any]) -> None:
    assert_damaged(rewritten(**changed))


def test_the_key_derivation_is_argon2id() -> None:
    """The same as another implementation (OpenSSL's, through `cryptography`) makes of it."""
    expected = Argon2id(salt=b"somesaltsomesalt", length=32, iterations=3, lanes=4, memory_cost=64 * 1024)
    parameters = Argon2(64 * 1024, 3, 4, b"somesaltsomesalt".hex())
    assert derive_key(b"password", parameters) == expected.derive(b"password")


def test_credentials_are_kept_and_old_records_still_open() -> None:
    record = VaultRecord(b"d" * 32, Seed(b"s" * 32), None)
    more = record.with_secret("github:alice", "tok-é").with_secret("ap:a@b.example", "x")
    assert decode_record(encode_record(more)).secrets == {"github:alice": "tok-é", "ap:a@b.example": "x"}
    assert more.with_secret("github:alice", None).secrets == {"ap:a@b.example": "x"}
    assert "tok" not in repr(more)
    assert decode_record(encode_record(record)[:81]) == record
    with pytest.raises(ValueError, match="no room"):
        record.with_secret("github:alice", "x" * 5000)
