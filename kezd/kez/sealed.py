"""Sealed messages, envelope version 2: encrypted for one identity, signed by another, silent about both.

Source: docs/protocol/sealed-message.md. Not here: transports, stores, randomness, and whether the sender is
known. Invariants: `open_sealed` returns only what its sender's primary sealed and signed for one of our own
keys; sizes are checked before anything is decrypted or parsed; one message has one valid form at each layer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from kezd.kez.errors import (
    CanonicalError,
    EnvelopeError,
    IdentifierError,
    KeyMaterialError,
    NeedsNewerVersionError,
    NoiseError,
    SealedError,
    SignatureError,
    UnauthorisedSenderError,
    WrongRecipientError,
    shown,
)
from kezd.kez.identifiers import parse_primary
from kezd.kez.jcs import MAX_INT, canonicalize, parse_json
from kezd.kez.keys import PublicKey, X25519Key
from kezd.kez.noise import MAX_MESSAGE, OVERHEAD, TAG_SIZE, read_x, write_x
from kezd.kez.padding import MIN_PADDED, pad, unpad
from kezd.kez.sender_tag import parse_device
from kezd.kez.signing import BODY_PREFIX, Signer
from kezd.kez.timestamps import parse_timestamp

VERSION: Final = 2
MAX_ENVELOPE: Final = 192 * 1024  # bytes of a whole sealed envelope
MAX_JSON: Final = 192_508  # bytes of a body's JSON: the most whose padded form fits into MAX_ENVELOPE
PROLOGUE: Final = b"kez-chat/2"

_SEGMENT: Final = MAX_MESSAGE - TAG_SIZE - 1  # bytes of padded body in a full segment
_LENGTH_SIZE: Final = 2
_MIN_ENVELOPE: Final = 1 + OVERHEAD + _LENGTH_SIZE + 1 + MIN_PADDED + TAG_SIZE
_HANDSHAKE_END: Final = 1 + OVERHEAD
_ID: Final = re.compile(r"[0-9a-f]{32}")
_KIND: Final = re.compile(r"[a-z0-9_-]{1,64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened message whose sender is proven.

    Attributes:
        body: the members as they were signed, without `sig`.
        sender: the primary that sealed and signed it.
        recipient: the primary of ours that it is for.
        sender_static: the sender's 32-byte X25519 key in the handshake.
        handshake_hash: 32 bytes that the signature is bound to.
        signature: the signature in lower-case hex.
    """

    body: dict[str, Any]
    sender: PublicKey
    recipient: PublicKey
    sender_static: bytes
    handshake_hash: bytes
    signature: str


def _check_body(body: dict[str, Any]) -> None:
    version = body.get("v")
    if type(version) is not int or version < VERSION:
        raise SealedError(f"the body is not of version {VERSION}")
    if version > VERSION:
        raise NeedsNewerVersionError(f"the body is of version {version}", version=version)
    for name, pattern in (("id", _ID), ("stream", _ID), ("kind", _KIND)):
        value = body.get(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise SealedError(f"the member {name} is not good: {shown(value)}")
    n = body.get("n")
    if type(n) is not int or not 0 < n <= MAX_INT:
        raise SealedError("n counts from 1")
    if not isinstance(body.get("body"), dict):
        raise SealedError("the content of the message is not an object")
    try:
        parse_device(body.get("from_device"))
        parse_timestamp(body.get("sent_at"))
    except (IdentifierError, CanonicalError) as error:
        raise SealedError(f"the body is not good: {error}") from error


def seal(signer: Signer, recipient: PublicKey, body: dict[str, Any], ephemeral_private: bytes) -> bytes:
    """Seal and sign a message for one recipient.

    Args:
        signer: the sender's key; `body["from"]` is its primary.
        recipient: whom it is for; `body["to"]` is its primary.
        body: all members but `sig`.
        ephemeral_private: 32 random bytes, used for this message alone.

    Returns:
        The envelope, at most 192 KiB.

    Raises:
        SealedError: the body is not good, not of these two, or too large.
        CanonicalError: the body holds what KEZ does not sign.
        KeyMaterialError: the recipient's key or the ephemeral key is not usable.
    """
    _check_body(body)
    if body.get("to") != recipient.primary:
        raise SealedError("the body is not addressed to the recipient")
    ephemeral = X25519Key(ephemeral_private)
    try:
        message, handshake_hash, key = write_x(PROLOGUE, signer, ephemeral, recipient.x25519())
        signature = signer.body_signature(handshake_hash, body)
    except (NoiseError, EnvelopeError) as error:
        raise SealedError(f"the message cannot be sealed: {error}") from error
    content = canonicalize(body | {"sig": signature})
    if len(content) > MAX_JSON:
        raise SealedError(f"a message has at most {MAX_JSON} bytes")
    return b"".join([b"\x02", message, *_encrypt_segments(key, pad(content))])


def _nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8, "little")


def _encrypt_segments(key: bytes, padded: bytes) -> list[bytes]:
    cipher, parts = ChaCha20Poly1305(key), []
    for number, start in enumerate(range(0, len(padded), _SEGMENT)):
        piece = padded[start : start + _SEGMENT]
        flag = b"\x01" if start + _SEGMENT >= len(padded) else b"\x00"
        sealed = cipher.encrypt(_nonce(number), flag + piece, None)
        parts += [len(sealed).to_bytes(_LENGTH_SIZE, "big"), sealed]
    return parts


def _decrypt_segments(key: bytes, data: bytes) -> bytes:
    cipher, pieces, start, number = ChaCha20Poly1305(key), [], _HANDSHAKE_END, 0
    while start < len(data):
        begin = start + _LENGTH_SIZE
        start = begin + int.from_bytes(data[start:begin], "big")
        if start > len(data):
            raise SealedError("the message is cut short")
        try:
            plaintext = cipher.decrypt(_nonce(number), data[begin:start], None)
        except InvalidTag as error:
            raise SealedError("a segment is damaged") from error
        last = start == len(data)
        # All but the last are full, so that one body has one division into segments.
        if plaintext[:1] != (b"\x01" if last else b"\x00") or not (last or len(plaintext) == _SEGMENT + 1):
            raise SealedError("the segments do not end where the message ends")
        pieces.append(plaintext[1:])
        number += 1
    return b"".join(pieces)


def open_sealed(signers: Sequence[Signer], data: bytes) -> Opened:
    """Open a sealed message and prove its sender.

    Args:
        signers: our keys, the current one first; a retired one may follow.
        data: the envelope.

    Raises:
        NeedsNewerVersionError: made by a newer version.
        WrongRecipientError: the body is addressed to somebody else.
        UnauthorisedSenderError: the sealing key does not speak for the sender it names.
        SealedError: too long, damaged, not for us, malformed, or the signature does not hold.
    """
    if not data or len(data) > MAX_ENVELOPE:
        raise SealedError(f"a sealed message has from 1 to {MAX_ENVELOPE} bytes")
    if data[0] != VERSION:
        raise NeedsNewerVersionError(f"the message is of version {data[0]}", version=data[0])
    if len(data) < _MIN_ENVELOPE:
        raise SealedError("the message is cut short")
    sender_static, handshake_hash, key = _read_handshake(signers, data[1:_HANDSHAKE_END])
    body = _decode_body(unpad(_decrypt_segments(key, data)))
    recipient = _recipient(signers, body)
    sender = _sender(body, sender_static)
    signature = body.pop("sig", None)
    _check_signature(sender, handshake_hash, body, signature)
    _check_body(body)
    return Opened(body, sender, recipient, sender_static, handshake_hash, signature)


def _read_handshake(signers: Sequence[Signer], message: bytes) -> tuple[bytes, bytes, bytes]:
    failed: NoiseError | None = None
    for signer in signers:
        try:
            return read_x(PROLOGUE, signer, message)[1:]
        except NoiseError as error:
            failed = failed or error
    raise SealedError("the message is for another key or is damaged") from failed


def _decode_body(content: bytes) -> dict[str, Any]:
    try:
        body = parse_json(content, max_bytes=MAX_JSON)
    except CanonicalError as error:
        raise SealedError(f"the body is not good: {error}") from error
    if not isinstance(body, dict):
        raise SealedError("the body is not an object")
    return body


def _recipient(signers: Sequence[Signer], body: dict[str, Any]) -> PublicKey:
    for signer in signers:
        if body.get("to") == signer.public.primary:
            return signer.public
    raise WrongRecipientError(f"the message is addressed to {shown(body.get('to'))}")


def _sender(body: dict[str, Any], sender_static: bytes) -> PublicKey:
    try:
        sender = parse_primary(body.get("from"))
    except (IdentifierError, KeyMaterialError) as error:
        raise UnauthorisedSenderError(f"the message names no usable sender: {error}") from error
    if sender.x25519() != sender_static:
        raise UnauthorisedSenderError("the sealing key is not the one of the sender it names")
    return sender


def _check_signature(sender: PublicKey, handshake_hash: bytes, body: dict[str, Any], signature: Any) -> None:
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise SealedError("the message carries no signature")
    signed = b"".join((BODY_PREFIX, handshake_hash, canonicalize(body)))
    try:
        sender.verify(signed, bytes.fromhex(signature))
    except SignatureError as error:
        raise SealedError("the signature of the message does not hold") from error
