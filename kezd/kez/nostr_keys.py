"""nostr keys as primaries: secp256k1, BIP-340 signatures, `npub`/`nsec` (NIP-19).

Not here: nostr events (`kezd.kez.nostr_events`) and what may be signed (`kezd.kez.nostr_signing`). Invariants:
a nostr key signs for the identity graph and never chats; what is signed is SHA-256 of the message, as the
envelope's algorithm says; a secret never shows itself in repr, str or pickle.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NoReturn, Self

from coincurve import PrivateKey, PublicKeyXOnly

from kezd.kez import bech32
from kezd.kez.errors import IdentifierError, KeyMaterialError, SignatureError, shown
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import KEY_SIZE, PRIMARY_PREFIX, SIGNATURE_SIZE, PublicKey

ALG_NOSTR: Final = "secp256k1-schnorr-sha256-jcs"
NOSTR_PREFIX: Final = "nostr:"
NPUB: Final = "npub"
NSEC: Final = "nsec"
NO_CHAT: Final = (
    "a nostr key cannot chat: messages need an ed25519 key, which a broker and an X25519 handshake can use"
)


# A memo of a pure function over public data, bounded: lifting the point costs half of a verification.
@lru_cache(maxsize=1024)
def _lift(raw: bytes) -> PublicKeyXOnly:
    try:
        return PublicKeyXOnly(raw)
    except ValueError as error:
        raise KeyMaterialError("the nostr key is no point of the curve") from error


# Likewise: each event of a chain is compared with the current primary, and bech32 costs more than the signature.
@lru_cache(maxsize=1024)
def _npub(raw: bytes) -> str:
    return bech32.encode_key(NPUB, raw)


@dataclass(frozen=True, slots=True)
class NostrKey(PublicKey):
    """A nostr public key: the x coordinate of a secp256k1 point.

    Attributes:
        raw: the 32 bytes.
    """

    @classmethod
    def from_npub(cls, text: str) -> Self:
        """Read `npub1…`.

        Raises:
            IdentifierError: another form or checksum.
            KeyMaterialError: no point of the curve.
        """
        return cls.checked(bech32.decode_key(NPUB, text))

    @classmethod
    def checked(cls, raw: bytes) -> Self:
        """Take 32 bytes that must be a point.

        Raises:
            KeyMaterialError: another size, or no point of the curve.
        """
        key = cls(raw)
        _lift(key.raw)
        return key

    @property
    def npub(self) -> str:
        """The key as `npub1…`."""
        return _npub(self.raw)

    @property
    def primary(self) -> str:
        """The key as a KEZ primary, `nostr:npub1…`."""
        return NOSTR_PREFIX + self.npub

    @property
    def alg(self) -> str:
        """What a signature envelope calls this key's signatures."""
        return ALG_NOSTR

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a BIP-340 signature over SHA-256 of a message.

        Raises:
            SignatureError: it does not hold.
        """
        verify_digest(self, hashlib.sha256(message).digest(), signature)

    @property
    def nkey(self) -> str:
        """None: NATS knows no such keys.

        Raises:
            KeyMaterialError: always.
        """
        raise KeyMaterialError(NO_CHAT)

    def x25519(self) -> bytes:
        """None: there is no X25519 twin.

        Raises:
            KeyMaterialError: always.
        """
        raise KeyMaterialError(NO_CHAT)


class NostrSecret:
    """A nostr private key; used by `kezd.kez.nostr_signing` only.

    Attributes:
        public: the public key.
    """

    __slots__ = ("_key", "public")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_SIZE:
            raise KeyMaterialError(f"a nostr secret is {KEY_SIZE} bytes")
        try:
            self._key: Final = PrivateKey(raw)
        except ValueError as error:
            raise KeyMaterialError("the nostr secret is not a number of the curve's order") from error
        self.public: Final = NostrKey(self._key.public_key_xonly.format())

    @classmethod
    def from_nsec(cls, text: str) -> Self:
        """Read `nsec1…`.

        Raises:
            IdentifierError: another form or checksum; the message holds nothing of the secret.
            KeyMaterialError: not a usable key.
        """
        try:
            raw = bech32.decode_key(NSEC, text)
        except IdentifierError:
            raise IdentifierError("that is not a nostr secret: they are written nsec1…") from None
        return cls(raw)

    def reveal(self) -> bytes:
        """Return the 32 secret bytes."""
        return self._key.secret

    @property
    def nsec(self) -> str:
        """The secret as `nsec1…`."""
        return bech32.encode_key(NSEC, self.reveal())

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the 64-byte BIP-340 signature of 32 bytes, without auxiliary randomness."""
        # coincurve's annotation leaves out the None that its documentation names
        return self._key.sign_schnorr(digest, None)  # type: ignore[arg-type]

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte BIP-340 signature of SHA-256 of a message."""
        return self.sign_digest(hashlib.sha256(message).digest())

    def __repr__(self) -> str:
        return f"NostrSecret(public={self.public.npub})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never serialised")


def verify_digest(public: NostrKey, digest: bytes, signature: bytes) -> None:
    """Check a BIP-340 signature of 32 bytes.

    Raises:
        SignatureError: it does not hold, or the key is no point.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureError(f"a signature is {SIGNATURE_SIZE} bytes")
    try:
        holds = _lift(public.raw).verify(signature, digest)
    except KeyMaterialError as error:
        raise SignatureError(str(error)) from error
    if not holds:
        raise SignatureError("the signature does not match the key and the content")


def parse_any_primary(text: object) -> PublicKey:
    """Read a primary of either kind: `ed25519:<64 hex>` or `nostr:npub1…`.

    Args:
        text: anything; only a string in normal form is taken, signed data has no other.

    Raises:
        IdentifierError: another form or another system.
        KeyMaterialError: the key is not usable.
    """
    if isinstance(text, str) and text.startswith(NOSTR_PREFIX):
        return NostrKey.from_npub(text.removeprefix(NOSTR_PREFIX))
    if isinstance(text, str) and not text.startswith(PRIMARY_PREFIX):
        raise IdentifierError(f"a primary is written ed25519:… or nostr:npub1…, not {shown(text)}")
    return parse_primary(text)
