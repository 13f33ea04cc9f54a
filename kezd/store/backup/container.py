"""The sealed file around a backup: a passphrase, and bytes in frames. Knows nothing of what is in them.

    magic    8 bytes, "kezd-bk1"
    header   2-byte big-endian length, JSON: Argon2id parameters, 15 random bytes, a check of the key
    frames   XChaCha20-Poly1305 of 64 KiB each, the last one shorter or as long

The nonce of a frame is the 15 bytes, its number (8 bytes, big-endian) and 1 for the last
frame, else 0 (the STREAM construction, Hoang, Reyhanitabar, Rogaway, Vizár 2015); the hash of
magic and header is the associated data. So frames cannot be left out, moved, repeated or
cut off unnoticed, and one of them is in memory at a time.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Annotated, Final, Protocol

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError

from kezd.errors import AccessError, Slug, StoreError
from kezd.store.argon2 import Argon2, derive_key, encode_passphrase, new_argon2

MAGIC: Final = b"kezd-bk1"
FRAME: Final = 64 * 1024
TAG: Final = 16
PREFIX_SIZE: Final = 15
HEADER_MAX: Final = 1024


class Source(Protocol):
    """What is read: a binary file, or a pipe's end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end only."""
        ...


class Sink(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    argon2: Argon2
    nonce: Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * PREFIX_SIZE}}}$")]
    check: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class SealedWriter:
    """Seals what it is given. Without `finish` the file is not whole, and says so when it is opened.

    Args:
        sink: gets the container's bytes.
        passphrase: opens it again.
        argon2: parameters; fresh ones of today's cost by default.
    """

    def __init__(self, sink: Sink, passphrase: str, argon2: Argon2 | None = None) -> None:
        parameters = new_argon2() if argon2 is None else argon2
        key = derive_key(encode_passphrase(passphrase), parameters)
        self._prefix = secrets.token_bytes(PREFIX_SIZE)
        header = msgspec.json.encode(_Header(parameters, self._prefix.hex(), _check_value(key)))
        start = MAGIC + len(header).to_bytes(2, "big") + header
        self._key = _frame_key(key)
        self._bound = hashlib.sha256(start).digest()
        self._sink = sink
        self._number = 0
        self._waiting = bytearray()
        self.written = len(start)
        """Bytes of the container so far."""
        sink.write(start)

    def write(self, data: bytes) -> None:
        """Seal bytes; what does not fill a frame waits."""
        self._waiting += data
        while len(self._waiting) > FRAME:  # one whole frame stays back: it may be the last
            self._frame(bytes(self._waiting[:FRAME]), last=False)
            del self._waiting[:FRAME]

    def finish(self) -> None:
        """Write the last frame."""
        self._frame(bytes(self._waiting), last=True)

    def _frame(self, plain: bytes, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, last=last)
        sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, self._bound, nonce, self._key)
        self._number += 1
        self.written += len(sealed)
        self._sink.write(sealed)


class SealedReader:
    """Opens a container; nothing is given out that was not authenticated.

    Raises:
        StoreError: `backup_damaged`, also from `read`.
        AccessError: `wrong_passphrase`.
    """

    def __init__(self, source: Source, passphrase: str) -> None:
        start = _exactly(source, len(MAGIC) + 2)
        if start[: len(MAGIC)] != MAGIC:
            raise StoreError(Slug.BACKUP_DAMAGED, "this is no backup of kezd")
        size = int.from_bytes(start[-2:], "big")
        if size > HEADER_MAX:
            raise StoreError(Slug.BACKUP_DAMAGED)
        text = _exactly(source, size)
        try:
            header = msgspec.json.decode(text, type=_Header)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise StoreError(Slug.BACKUP_DAMAGED, "the backup's header is damaged") from error
        key = derive_key(encode_passphrase(passphrase), header.argon2)
        if not hmac.compare_digest(_check_value(key), header.check):
            raise AccessError(Slug.WRONG_PASSPHRASE)
        self._frames = _open_frames(
            source, _frame_key(key), hashlib.sha256(start + text).digest(), bytes.fromhex(header.nonce)
        )
        self._opened = b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none after the last frame only."""
        while not self._opened:
            frame = next(self._frames, None)
            if frame is None:
                return b""
            self._opened = frame
        part, self._opened = self._opened[:size], self._opened[size:]
        return part

    def read_exactly(self, size: int) -> bytes:
        """That many bytes.

        Raises:
            StoreError: `backup_damaged`, there are fewer.
        """
        return _exactly(self, size)


def _open_frames(source: Source, key: bytes, bound: bytes, prefix: bytes) -> Iterator[bytes]:
    number, sealed = 0, _at_most(source, FRAME + TAG)
    while True:
        following = _at_most(source, FRAME + TAG)
        last = not following
        try:
            yield bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, bound, _nonce(prefix, number, last=last), key
            )
        except (CryptoError, ValueError) as error:
            what = "the backup ends too early, or its end is damaged" if last else "the backup is damaged"
            raise StoreError(Slug.BACKUP_DAMAGED, what) from error
        if last:
            return
        number, sealed = number + 1, following


def _at_most(source: Source, size: int) -> bytes:
    """So many bytes, fewer at the end only."""
    parts: list[bytes] = []
    missing = size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _exactly(source: Source, size: int) -> bytes:
    data = _at_most(source, size)
    if len(data) != size:
        raise StoreError(Slug.BACKUP_DAMAGED, "the backup ends too early")
    return data


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(8, "big") + bytes([last])


def _check_value(key: bytes) -> str:
    return hmac.digest(key, b"kezd/backup/check/1", "sha256")[:16].hex()


def _frame_key(key: bytes) -> bytes:
    return hmac.digest(key, b"kezd/backup/frames/1", "sha256")
