"""What the vault keeps, and its fixed-size plain encoding.

The encoding has one length whatever it holds, so that the file does not tell whether
there is an identity. A record never shows its keys in repr.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from kezd.kez.keys import Seed

KEY_SIZE: Final = 32  # bytes of the database's key and of a seed
ENTROPY_SIZE: Final = 16  # bytes behind 12 words
RECORD_SIZE: Final = 1 + KEY_SIZE + KEY_SIZE + ENTROPY_SIZE
_HAS_SEED: Final = 1
_HAS_ENTROPY: Final = 2


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """The secrets of one profile.

    Attributes:
        db_key: 32 bytes, the database's raw key.
        seed: the identity's seed, None before there is one.
        entropy12: the 16 bytes behind 12 recovery words (the seed follows from them, one way), else None.
    """

    db_key: bytes
    seed: Seed | None = None
    entropy12: bytes | None = None

    @classmethod
    def new(cls) -> "VaultRecord":
        """A record with a fresh database key and no identity."""
        return cls(secrets.token_bytes(KEY_SIZE))

    def with_identity(self, seed: Seed, entropy12: bytes | None) -> "VaultRecord":
        """This record with an identity."""
        return replace(self, seed=seed, entropy12=entropy12)

    def __repr__(self) -> str:
        return "VaultRecord(redacted)"


def encode_record(record: VaultRecord) -> bytes:
    """The record in `RECORD_SIZE` bytes: flags, database key, seed or zeros, entropy or zeros."""
    seed = bytes(KEY_SIZE) if record.seed is None else record.seed.reveal()
    entropy = bytes(ENTROPY_SIZE) if record.entropy12 is None else record.entropy12
    flags = (_HAS_SEED if record.seed else 0) | (_HAS_ENTROPY if record.entropy12 else 0)
    return bytes([flags]) + record.db_key + seed + entropy


def decode_record(data: bytes) -> VaultRecord:
    """The record of `encode_record`'s bytes.

    Raises:
        ValueError: wrong length.
    """
    if len(data) != RECORD_SIZE:
        raise ValueError(f"a vault record is {RECORD_SIZE} bytes")
    db_key, seed, entropy = data[1:33], data[33:65], data[65:]
    return VaultRecord(
        db_key,
        Seed(seed) if data[0] & _HAS_SEED else None,
        entropy if data[0] & _HAS_ENTROPY else None,
    )
