"""From a passphrase to a key: Argon2id (RFC 9106) with bounded, stored parameters. No I/O.

Used by the vault's file and by backups. Not here: what the key is for; whoever uses it
derives one key for each purpose from it.
"""

import secrets
import unicodedata
from typing import Annotated, Final

import msgspec
from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from kezd.errors import Slug, StoreError

KEY_SIZE: Final = 32
SALT_SIZE: Final = 16
MEMORY_KIB: Final = 64 * 1024
PASSES: Final = 3
LANES: Final = 4


class Argon2(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of Argon2id; bounded, because they come from a file: seconds and 256 MiB at most."""

    memory_kib: Annotated[int, msgspec.Meta(ge=8 * 1024, le=256 * 1024)]
    passes: Annotated[int, msgspec.Meta(ge=1, le=10)]
    lanes: Annotated[int, msgspec.Meta(ge=1, le=16)]
    salt: Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * SALT_SIZE}}}$")]


def new_argon2() -> Argon2:
    """The parameters of a new file, with a fresh salt."""
    return Argon2(MEMORY_KIB, PASSES, LANES, secrets.token_hex(SALT_SIZE))


def encode_passphrase(passphrase: str) -> bytes:
    """A passphrase as it is derived from: NFC, UTF-8, so that another keyboard types the same."""
    return unicodedata.normalize("NFC", passphrase).encode()


def derive_key(secret: bytes, parameters: Argon2) -> bytes:
    """The 32-byte key of a passphrase. Takes tenths of a second and `memory_kib` of memory.

    Raises:
        StoreError: `store_failed`, there is not so much memory.
    """
    try:
        return hash_secret_raw(
            secret,
            bytes.fromhex(parameters.salt),
            time_cost=parameters.passes,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.lanes,
            hash_len=KEY_SIZE,
            type=Type.ID,
        )
    except HashingError as error:
        needed = parameters.memory_kib // 1024
        raise StoreError(
            Slug.STORE_FAILED, f"a passphrase could not be tried: that takes {needed} MiB of memory"
        ) from error
