"""The one-way Noise pattern X with X25519, ChaCha20-Poly1305 and SHA-256.

Source: The Noise Protocol Framework, revision 34, sections 5 and 7.4. Not here: what the key is used for after
the handshake (`kezd.kez.sealed`), and randomness. Invariants: the private keys stay behind `KeyAgreement`; an
all-zero shared secret ends the handshake; every failure is a `NoiseError`.
"""

import hashlib
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kezd.kez.errors import KeyMaterialError, NoiseError
from kezd.kez.keys import KEY_SIZE, X25519Key

TAG_SIZE: Final = 16  # bytes that ChaCha20-Poly1305 adds
OVERHEAD: Final = KEY_SIZE + KEY_SIZE + TAG_SIZE + TAG_SIZE  # bytes of a message beside its payload
MAX_MESSAGE: Final = 65_535  # bytes of any Noise message

_PROTOCOL: Final = b"Noise_X_25519_ChaChaPoly_SHA256"
_SHA256: Final = SHA256()
_START: Final = _PROTOCOL.ljust(32, b"\x00")
_STATIC_END: Final = KEY_SIZE + KEY_SIZE + TAG_SIZE
_ZERO_NONCE: Final = bytes(12)


class KeyAgreement(Protocol):
    """A long-lived X25519 key that does not show its private half; `Signer` is one."""

    def x25519_public(self) -> bytes:
        """Return the 32-byte public key."""

    def diffie_hellman(self, x25519_public: bytes) -> bytes:
        """Return the 32-byte secret shared with an ephemeral key."""

    def static_secret(self, x25519_public: bytes) -> bytes:
        """Return the 32-byte secret shared with a long-lived key."""


class _PlainKey:
    """A `KeyAgreement` over a bare private key whose public half is given."""

    __slots__ = ("_key", "_public")

    def __init__(self, private: bytes, public: bytes) -> None:
        self._key = X25519Key(private)
        self._public = public

    def x25519_public(self) -> bytes:
        return self._public

    def diffie_hellman(self, x25519_public: bytes) -> bytes:
        return self._key.diffie_hellman(x25519_public)

    static_secret = diffie_hellman


class _Symmetric:
    """The running hash and chaining key of a handshake (section 5.2)."""

    __slots__ = ("cipher", "hash", "key")

    def __init__(self, prologue: bytes, remote_static: bytes) -> None:
        self.key = _START
        self.hash = hashlib.sha256(_START + prologue).digest()
        self.mix_hash(remote_static)
        self.cipher: ChaCha20Poly1305

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self.key, cipher_key = hkdf2(self.key, secret)
        self.cipher = ChaCha20Poly1305(cipher_key)

    # Every key of pattern X encrypts one thing, so the nonce is always zero here.
    def encrypt(self, plaintext: bytes) -> bytes:
        sealed = self.cipher.encrypt(_ZERO_NONCE, plaintext, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        try:
            plaintext = self.cipher.decrypt(_ZERO_NONCE, sealed, self.hash)
        except InvalidTag as error:
            raise NoiseError("the handshake was made for another key or is damaged") from error
        self.mix_hash(sealed)
        return plaintext


def hkdf2(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Noise's HKDF with two outputs of 32 bytes each (section 4.3), which is RFC 5869 with empty info."""
    both = HKDF(_SHA256, 2 * KEY_SIZE, chaining_key, b"").derive(secret)
    return both[:KEY_SIZE], both[KEY_SIZE:]


def write_x(
    prologue: bytes, static: KeyAgreement, ephemeral: X25519Key, remote_public: bytes, payload: bytes = b""
) -> tuple[bytes, bytes, bytes]:
    """Write the one message of pattern X.

    Args:
        prologue: what both sides must agree on.
        static: the sender's long-lived key.
        ephemeral: a key made for this message alone.
        remote_public: the recipient's 32-byte X25519 public key.
        payload: sealed under the handshake; the message has `OVERHEAD` bytes more.

    Returns:
        The message, the 32-byte handshake hash, the 32-byte key for what the sender says next.

    Raises:
        NoiseError: the payload is too long, or the remote key is unusable.
    """
    if OVERHEAD + len(payload) > MAX_MESSAGE:
        raise NoiseError(f"a Noise message has at most {MAX_MESSAGE} bytes")
    try:
        state = _Symmetric(prologue, remote_public)
        state.mix_hash(ephemeral.public)
        state.mix_key(ephemeral.diffie_hellman(remote_public))
        sealed_static = state.encrypt(static.x25519_public())
        state.mix_key(static.static_secret(remote_public))
    except KeyMaterialError as error:
        raise NoiseError("the remote key is unusable") from error
    message = ephemeral.public + sealed_static + state.encrypt(payload)
    return message, state.hash, hkdf2(state.key, b"")[0]


def read_x(prologue: bytes, static: KeyAgreement, message: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Read the one message of pattern X.

    Args:
        prologue: what both sides must agree on.
        static: the recipient's long-lived key.
        message: the bytes that `write_x` gave.

    Returns:
        The payload, the sender's 32-byte X25519 public key, the 32-byte handshake hash, the 32-byte key for
        what the sender says next.

    Raises:
        NoiseError: too short or long, for another key, damaged, or a remote key is unusable.
    """
    if not OVERHEAD <= len(message) <= MAX_MESSAGE:
        raise NoiseError(f"a handshake has from {OVERHEAD} to {MAX_MESSAGE} bytes")
    ephemeral = message[:KEY_SIZE]
    try:
        state = _Symmetric(prologue, static.x25519_public())
        state.mix_hash(ephemeral)
        state.mix_key(static.diffie_hellman(ephemeral))
        remote_static = state.decrypt(message[KEY_SIZE:_STATIC_END])
        state.mix_key(static.static_secret(remote_static))
    except KeyMaterialError as error:
        raise NoiseError("a key of the sender is unusable") from error
    payload = state.decrypt(message[_STATIC_END:])
    return payload, remote_static, state.hash, hkdf2(state.key, b"")[0]


def write_message_x(
    prologue: bytes,
    static_private: bytes,
    static_public: bytes,
    ephemeral_private: bytes,
    remote_public: bytes,
    payload: bytes = b"",
) -> tuple[bytes, bytes, bytes]:
    """Write a message of pattern X from bare 32-byte keys; otherwise as `write_x`."""
    static = _PlainKey(static_private, static_public)
    return write_x(prologue, static, X25519Key(ephemeral_private), remote_public, payload)


def read_message_x(
    prologue: bytes, static_private: bytes, static_public: bytes, message: bytes
) -> tuple[bytes, bytes, bytes, bytes]:
    """Read a message of pattern X with bare 32-byte keys; otherwise as `read_x`."""
    return read_x(prologue, _PlainKey(static_private, static_public), message)
