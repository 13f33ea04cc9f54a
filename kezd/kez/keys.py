"""Ed25519 seeds, private and public keys, and their X25519 twins.

Not here: nostr keys (`kezd.kez.nostr_keys`), making randomness, and deciding what may be signed (`kezd.kez.signing` is the only caller of
`SigningKey.sign`). Invariants: a seed never shows itself in repr, str or pickle; verification follows
libsodium (canonical S, no small-order keys); a key whose X25519 conversion fails is refused.
"""

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings
from nacl.exceptions import BadSignatureError

from kezd.kez import nkeys
from kezd.kez.errors import KeyMaterialError, SignatureError

KEY_SIZE: Final = 32  # bytes of a seed, a public key, an X25519 key
SIGNATURE_SIZE: Final = 64  # bytes
PRIMARY_PREFIX: Final = "ed25519:"
ALG_ED25519: Final = "ed25519-sha512-jcs"

_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")


def _raw32(raw: bytes, what: str) -> bytes:
    if len(raw) != KEY_SIZE:
        raise KeyMaterialError(f"a {what} is {KEY_SIZE} bytes")
    return raw


class Seed:
    """A 32-byte Ed25519 seed that does not print, pickle or copy itself."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw: Final = _raw32(raw, "seed")

    def reveal(self) -> bytes:
        """Return the 32 secret bytes."""
        return self._raw

    def __repr__(self) -> str:
        return "Seed(redacted)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seed) and hmac.compare_digest(self._raw, other._raw)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a seed is never serialised")


# A memo of a pure function over public data, bounded: the conversion costs as much as a verification.
@lru_cache(maxsize=4096)
def _to_x25519(public: bytes) -> bytes:
    try:
        return bindings.crypto_sign_ed25519_pk_to_curve25519(public)
    except RuntimeError as error:
        raise KeyMaterialError("the public key is not a usable Ed25519 point") from error


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A primary's public key: Ed25519 here; `NostrKey` is the other kind, which signs and cannot chat.

    Attributes:
        raw: the 32 bytes.
    """

    raw: bytes

    def __post_init__(self) -> None:
        _raw32(self.raw, "public key")

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Read 64 lower-case hex digits.

        Raises:
            KeyMaterialError: for anything else.
        """
        if not _HEX_KEY.fullmatch(text):
            raise KeyMaterialError("a public key is written as 64 lower-case hex digits")
        return cls(bytes.fromhex(text))

    @property
    def hex(self) -> str:
        """The key as 64 lower-case hex digits."""
        return self.raw.hex()

    @property
    def primary(self) -> str:
        """The key as a KEZ primary, `ed25519:<hex>`."""
        return PRIMARY_PREFIX + self.raw.hex()

    @property
    def alg(self) -> str:
        """What a signature envelope calls this key's signatures."""
        return ALG_ED25519

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature of this key, by libsodium's rules.

        Args:
            message: the signed bytes.
            signature: 64 bytes.

        Raises:
            SignatureError: it does not hold, has a non-canonical S, or the key or R has small order.
        """
        if len(signature) != SIGNATURE_SIZE:
            raise SignatureError(f"a signature is {SIGNATURE_SIZE} bytes")
        try:
            bindings.crypto_sign_open(signature + message, self.raw)
        except BadSignatureError as error:
            raise SignatureError("the signature does not match the key and the content") from error

    @property
    def nkey(self) -> str:
        """The key as a NATS user nkey, 56 characters that start with U."""
        return nkeys.encode_public(nkeys.Prefix.USER, self.raw)

    def x25519(self) -> bytes:
        """Return the X25519 public key (32 bytes) by libsodium's conversion.

        A key and its negative share one X25519 key, so this never identifies anyone by itself.

        Raises:
            KeyMaterialError: the key is no point of the prime-order group, or converts to zero.
        """
        return _to_x25519(self.raw)


class X25519Key:
    """An X25519 private key with its public key.

    Attributes:
        public: the 32-byte public key.
    """

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        self._private: Final = _raw32(private, "private key")
        self.public: Final = bindings.crypto_scalarmult_base(private)

    def diffie_hellman(self, remote: bytes) -> bytes:
        """Return the 32-byte shared secret with a remote X25519 public key.

        Raises:
            KeyMaterialError: wrong size, or the result is all zeros (RFC 7748 section 6.1).
        """
        _raw32(remote, "public key")
        try:
            return bindings.crypto_scalarmult(self._private, remote)
        except RuntimeError as error:
            raise KeyMaterialError("the remote key gives no shared secret") from error

    def __repr__(self) -> str:
        return "X25519Key(redacted)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never serialised")


class SigningKey:
    """An Ed25519 private key; used by `kezd.kez.signing` only.

    Attributes:
        public: the public key.
    """

    __slots__ = ("_exchange", "_expanded", "public")

    def __init__(self, seed: Seed) -> None:
        public, self._expanded = bindings.crypto_sign_seed_keypair(seed.reveal())
        self.public: Final = PublicKey(public)
        self._exchange = X25519PrivateKey.from_private_bytes(self.x25519_private())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte RFC 8032 Ed25519 signature of a message."""
        return bindings.crypto_sign(message, self._expanded)[:SIGNATURE_SIZE]

    def x25519_private(self) -> bytes:
        """Return the 32-byte X25519 private key by libsodium's conversion."""
        return bindings.crypto_sign_ed25519_sk_to_curve25519(self._expanded)

    def diffie_hellman(self, remote: bytes) -> bytes:
        """Return the 32-byte shared secret of this key's X25519 twin and a remote X25519 public key.

        Raises:
            KeyMaterialError: wrong size, or the result is all zeros (RFC 7748 section 6.1).
        """
        try:
            return self._exchange.exchange(X25519PublicKey.from_public_bytes(_raw32(remote, "public key")))
        except ValueError as error:
            raise KeyMaterialError("the remote key gives no shared secret") from error

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never serialised")


def derive_seed(seed: Seed, info: bytes) -> Seed:
    """Derive a seed for one named purpose: HKDF-SHA256 without salt, 32 bytes (RFC 5869).

    Args:
        seed: the identity's seed.
        info: the purpose, distinct for each use.
    """
    return Seed(HKDF(SHA256(), KEY_SIZE, None, info).derive(seed.reveal()))
