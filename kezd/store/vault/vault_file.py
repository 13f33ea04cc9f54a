"""The bytes of `vault.json`: header, parameters, and the encrypted record. No I/O.

One canonical JSON object. A checksum over it tells damage before any key is derived; the
whole header is the associated data of the encryption, so that nobody can change a
parameter and its checksum unnoticed; a check value derived from the wrapping key tells a
wrong passphrase from a damaged box. Argon2id (RFC 9106) and XChaCha20-Poly1305.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from kezd.errors import AccessError, Slug
from kezd.store.argon2 import Argon2

FORMAT: Final = 1
FILE_BYTES: Final = 16 * 1024
WRAPPING_KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24


class WrapKind(Enum):
    """Where the wrapping key of a vault comes from."""

    KEYRING = "keyring"
    CREDENTIAL = "credential"
    PASSPHRASE = "passphrase"


class VaultFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's members; binary ones in lower-case hex."""

    format: int
    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    """Names this vault's entry in the keyring."""
    wrap: WrapKind
    argon2: Argon2 | None
    """For `credential` and `passphrase`."""
    check: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    nonce: Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * NONCE_SIZE}}}$")]
    box: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){16,}$")]
    checksum: str


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The key of one vault and the header it was made for. Never shown."""

    vault_id: str
    kind: WrapKind
    argon2: Argon2 | None
    key: bytes

    def __repr__(self) -> str:
        return f"Wrapping(kind={self.kind.value}, redacted)"


def seal_vault(wrapping: Wrapping, plain: bytes, nonce: bytes) -> bytes:
    """The file's bytes; `nonce` is 24 fresh random bytes."""
    header = {
        "format": FORMAT,
        "id": wrapping.vault_id,
        "wrap": wrapping.kind.value,
        "argon2": None if wrapping.argon2 is None else msgspec.to_builtins(wrapping.argon2),
        "check": _check_value(wrapping.key),
        "nonce": nonce.hex(),
    }
    box = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        plain, _encode(header), nonce, _box_key(wrapping.key)
    )
    members = {**header, "box": box.hex()}
    return _encode({**members, "checksum": hashlib.sha256(_encode(members)).hexdigest()}) + b"\n"


def parse_vault(data: bytes) -> VaultFile:
    """The file's members.

    Raises:
        AccessError: `vault_damaged`.
    """
    try:
        file = msgspec.json.decode(data, type=VaultFile)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise AccessError(Slug.VAULT_DAMAGED, "the vault file is not what it was") from error
    members = msgspec.to_builtins(file)
    checksum = members.pop("checksum")
    expected = hashlib.sha256(_encode(members)).hexdigest()
    if checksum != expected or data != _encode({**members, "checksum": checksum}) + b"\n":
        raise AccessError(Slug.VAULT_DAMAGED, "the vault file is not what it was")
    if file.format != FORMAT or (file.argon2 is None) != (file.wrap is WrapKind.KEYRING):
        raise AccessError(Slug.VAULT_DAMAGED, "the vault file is of a format that this kezd does not know")
    return file


def open_vault(file: VaultFile, key: bytes, wrong_key: Slug) -> bytes:
    """The plain record.

    Args:
        file: the parsed file.
        key: the wrapping key.
        wrong_key: the error of a key that is not this vault's (an access slug).

    Raises:
        AccessError: `wrong_key`, or `vault_damaged` when the key is right and the box is not.
    """
    if not hmac.compare_digest(_check_value(key), file.check):
        raise AccessError(wrong_key)
    header = {k: v for k, v in msgspec.to_builtins(file).items() if k not in ("box", "checksum")}
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            bytes.fromhex(file.box), _encode(header), bytes.fromhex(file.nonce), _box_key(key)
        )
    except CryptoError as error:
        raise AccessError(Slug.VAULT_DAMAGED, "the vault's content is not what it was") from error


def _encode(members: object) -> bytes:
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode("ascii")


def _check_value(key: bytes) -> str:
    return hmac.digest(key, b"kezd/vault/check/1", "sha256")[:16].hex()


def _box_key(key: bytes) -> bytes:
    return hmac.digest(key, b"kezd/vault/box/1", "sha256")
