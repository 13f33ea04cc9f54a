"""What the vault keeps, and its fixed-size plain encoding.

The encoding has one length whatever it holds, so that the file does not tell whether
there is an identity, or how often its key was changed. A record never shows its keys in repr.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from kezd.kez.keys import Seed

KEY_SIZE: Final = 32  # bytes of the database's key and of a seed
ENTROPY_SIZE: Final = 16  # bytes behind 12 words
FIRST_SIZE: Final = 1 + KEY_SIZE + KEY_SIZE + ENTROPY_SIZE
"""Bytes of a record of before keys could be changed; still read."""
MORE_SIZE: Final = 4096  # bytes of what came later: a length of two bytes, JSON, zeros
RECORD_SIZE: Final = FIRST_SIZE + MORE_SIZE
RETIRED_MAX: Final = 16
"""Former keys that are kept; each opens old mail for thirty days."""
_LENGTH_SIZE: Final = 2
_HAS_SEED: Final = 1
_HAS_ENTROPY: Final = 2


@dataclass(frozen=True, slots=True)
class ComingKey:
    """A key whose words were shown, and that will take over when they are confirmed."""

    seed: Seed
    entropy12: bytes | None

    def __repr__(self) -> str:
        return "ComingKey(redacted)"


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A former key; `at` is the unix second of its rotation."""

    seed: Seed
    at: int

    def __repr__(self) -> str:
        return f"RetiredKey(at={self.at}, redacted)"


class _More(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    coming: str | None = None
    coming_entropy: str | None = None
    retired: tuple[tuple[str, int], ...] = ()
    secrets: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """The secrets of one profile.

    Attributes:
        db_key: 32 bytes, the database's raw key.
        seed: the identity's seed, None before there is one.
        entropy12: the 16 bytes behind 12 recovery words (the seed follows from them, one way), else None.
        coming: the key of a rotation that has begun.
        retired: former keys of the identity, oldest first.
        secrets: what other services have to keep, by name; about 2,500 bytes in all. Never changed in place.
    """

    db_key: bytes
    seed: Seed | None = None
    entropy12: bytes | None = None
    coming: ComingKey | None = None
    retired: tuple[RetiredKey, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls) -> "VaultRecord":
        """A record with a fresh database key and no identity."""
        return cls(secrets.token_bytes(KEY_SIZE))

    def with_identity(self, seed: Seed, entropy12: bytes | None) -> "VaultRecord":
        """This record with another identity, whose past is not known here."""
        return replace(self, seed=seed, entropy12=entropy12, coming=None, retired=())

    def with_coming(self, coming: ComingKey | None) -> "VaultRecord":
        """This record with a key that is to take over, or without one."""
        return replace(self, coming=coming)

    def with_secret(self, name: str, secret: str | None) -> "VaultRecord":
        """This record with a secret of another service, or without it.

        Raises:
            ValueError: there is no room for it.
        """
        kept = {known: value for known, value in self.secrets.items() if known != name}
        changed = replace(self, secrets=kept if secret is None else kept | {name: secret})
        encode_record(changed)
        return changed

    def rotated(self, at: int) -> "VaultRecord":
        """This record after the coming key took over at that unix second."""
        assert self.coming is not None, "a rotation has begun"
        assert self.seed is not None, "there is an identity"
        retired = (*self.retired, RetiredKey(self.seed, at))[-RETIRED_MAX:]
        return replace(
            self, seed=self.coming.seed, entropy12=self.coming.entropy12, coming=None, retired=retired
        )

    def __repr__(self) -> str:
        return "VaultRecord(redacted)"


def encode_record(record: VaultRecord) -> bytes:
    """The record in `RECORD_SIZE` bytes: flags, database key, seed or zeros, entropy or zeros, the rest.

    Raises:
        ValueError: the secrets of other services are too long.
    """
    seed = bytes(KEY_SIZE) if record.seed is None else record.seed.reveal()
    entropy = bytes(ENTROPY_SIZE) if record.entropy12 is None else record.entropy12
    flags = (_HAS_SEED if record.seed else 0) | (_HAS_ENTROPY if record.entropy12 else 0)
    return bytes([flags]) + record.db_key + seed + entropy + _encode_more(record)


def decode_record(data: bytes) -> VaultRecord:
    """The record of `encode_record`'s bytes, or of those that an older kezd wrote.

    Raises:
        ValueError: wrong length, or not what was written.
    """
    if len(data) not in (FIRST_SIZE, RECORD_SIZE):
        raise ValueError(f"a vault record is {RECORD_SIZE} bytes")
    db_key, seed, entropy = data[1:33], data[33:65], data[65:FIRST_SIZE]
    more = _decode_more(data[FIRST_SIZE:])
    return VaultRecord(
        db_key,
        Seed(seed) if data[0] & _HAS_SEED else None,
        entropy if data[0] & _HAS_ENTROPY else None,
        _coming(more),
        tuple(RetiredKey(Seed(bytes.fromhex(old)), at) for old, at in more.retired),
        dict(more.secrets),
    )


def _encode_more(record: VaultRecord) -> bytes:
    coming = record.coming
    more = _More(
        None if coming is None else coming.seed.reveal().hex(),
        None if coming is None or coming.entropy12 is None else coming.entropy12.hex(),
        tuple((key.seed.reveal().hex(), key.at) for key in record.retired),
        dict(record.secrets),
    )
    content = msgspec.json.encode(more)
    if len(content) > MORE_SIZE - _LENGTH_SIZE:
        raise ValueError(f"there is no room: a vault keeps {MORE_SIZE} bytes beside its keys")
    return (len(content).to_bytes(_LENGTH_SIZE, "big") + content).ljust(MORE_SIZE, b"\0")


def _decode_more(data: bytes) -> _More:
    if not data:
        return _More()
    end = _LENGTH_SIZE + int.from_bytes(data[:_LENGTH_SIZE], "big")
    try:
        return msgspec.json.decode(data[_LENGTH_SIZE:end], type=_More)
    except msgspec.DecodeError as error:
        raise ValueError("the vault record is not what was written") from error


def _coming(more: _More) -> ComingKey | None:
    if more.coming is None:
        return None
    entropy = None if more.coming_entropy is None else bytes.fromhex(more.coming_entropy)
    return ComingKey(Seed(bytes.fromhex(more.coming)), entropy)
