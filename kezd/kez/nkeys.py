"""NATS nkeys: base32 text with a role letter and a CRC-16 around a 32-byte key.

Source: nkeys of the NATS project. Not here: signing. Invariant: one text for one key and role, anything else
is refused; no error message repeats the text, it may be a seed.
"""

import base64
import binascii
from enum import IntEnum
from typing import Final

from kezd.kez.errors import KeyMaterialError

_SEED: Final = 18 << 3  # the letter S
_KEY_SIZE: Final = 32
_PUBLIC_TEXT: Final = 56  # characters: (1 + 32 + 2) bytes in base32
_SEED_TEXT: Final = 58  # characters: (2 + 32 + 2) bytes in base32 without padding


class Prefix(IntEnum):
    """The role of a key: the byte that gives its first letter."""

    USER = 20 << 3
    ACCOUNT = 0
    SERVER = 13 << 3
    CLUSTER = 2 << 3
    OPERATOR = 14 << 3
    CURVE = 23 << 3


def _encode(body: bytes) -> str:
    check = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + check).rstrip(b"=").decode("ascii")


def _decode(text: str, length: int) -> bytes:
    if len(text) != length:
        raise KeyMaterialError(f"this kind of nkey has {length} characters")
    try:
        raw = base64.b32decode(text + "=" * (-length % 8))
    except ValueError as error:
        raise KeyMaterialError("an nkey is written in base32 capitals") from error
    body = raw[:-2]
    # Encoding again also catches the spare bits of the last character.
    if _encode(body) != text:
        raise KeyMaterialError("the checksum of the nkey does not match")
    return body


def _prefix(value: int) -> Prefix:
    try:
        return Prefix(value)
    except ValueError as error:
        raise KeyMaterialError("the nkey has an unknown role letter") from error


def _checked(raw: bytes) -> bytes:
    if len(raw) != _KEY_SIZE:
        raise KeyMaterialError(f"an nkey holds {_KEY_SIZE} bytes")
    return raw


def encode_public(prefix: Prefix, raw: bytes) -> str:
    """Write a 32-byte public key as an nkey of 56 characters.

    Raises:
        KeyMaterialError: `raw` is not 32 bytes.
    """
    return _encode(bytes((prefix,)) + _checked(raw))


def decode_public(text: str, prefix: Prefix | None = None) -> bytes:
    """Read the 32-byte public key out of an nkey.

    Args:
        text: 56 characters.
        prefix: the role it must have; None takes any.

    Raises:
        KeyMaterialError: wrong length, alphabet, checksum or role.
    """
    body = _decode(text, _PUBLIC_TEXT)
    found = _prefix(body[0])
    if prefix is not None and found is not prefix:
        raise KeyMaterialError(f"the nkey is of role {found.name}, not {prefix.name}")
    return body[1:]


def encode_seed(prefix: Prefix, raw: bytes) -> str:
    """Write a 32-byte seed as an nkey seed of 58 characters, which starts with S.

    Raises:
        KeyMaterialError: `raw` is not 32 bytes.
    """
    # The role's five bits straddle the two first bytes, so that its letter shows second.
    head = bytes((_SEED | prefix >> 5, (prefix & 31) << 3))
    return _encode(head + _checked(raw))


def decode_seed(text: str) -> tuple[Prefix, bytes]:
    """Read role and 32-byte seed out of an nkey seed.

    Raises:
        KeyMaterialError: wrong length, alphabet, checksum or role.
    """
    body = _decode(text, _SEED_TEXT)
    if body[0] & 0xF8 != _SEED or body[1] & 7:
        raise KeyMaterialError("that nkey is not a seed")
    return _prefix((body[0] & 7) << 5 | body[1] >> 3), body[2:]
