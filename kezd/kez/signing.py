"""The one table of what an identity key is used for, and the `Signer` that does exactly that.

Not here: a way to sign bytes of the caller's choice. Invariants: each use of the key has a row in
`SIGNATURE_KINDS`, each row a method of `Signer`, and no other method touches the key; no two rows can ever
give the same signed bytes (JCS objects begin with `{`, the other forms with their own prefix or are fifteen
characters long).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NoReturn

from kezd.kez.envelope import Envelope, EnvelopeKind, check_payload
from kezd.kez.errors import EnvelopeError, KeyMaterialError
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import PublicKey, Seed, SigningKey, derive_seed

ROTATE_PREFIX: Final = b"kez-rotate/1\x00"
BODY_PREFIX: Final = b"kez-chat/2\x00"
GUEST_PREFIX: Final = b"kez/nats-guest/1"
FOLLOW_PREFIX: Final = b"kez-follow/1\x00"

_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{15}")
_SHARED_MAX: Final = 512  # shared secrets remembered, one a contact
_HASH_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One row of the table: one thing that an identity key does.

    Attributes:
        kind: name of the `Signer` method that does it.
        type: what is signed, or what comes out.
        prefix: the bytes in front of what is signed.
        who: who may ask for it.
    """

    kind: str
    type: str
    prefix: bytes
    who: str


SIGNATURE_KINDS: Final = (
    KeyUse("registration", "kez.chat.handle_registration", b"", "identity service, at registration"),
    KeyUse("profile_proofs", "kez.chat.profile_proofs", b"", "claims service, what one is found by"),
    KeyUse("claim", "kez.claim", b"", "claims service, with a fresh confirmation"),
    KeyUse("sigchain_event", "kez.sigchain.event", b"", "identity service, with a fresh confirmation"),
    KeyUse(
        "rotate_consent", "kez.sigchain.event", ROTATE_PREFIX, "identity service, the new key of a rotation"
    ),
    KeyUse(
        "follow_snapshot",
        "snapshot of a followed person",
        FOLLOW_PREFIX,
        "claims service, kept on this machine",
    ),
    KeyUse("body_signature", "sealed message body", BODY_PREFIX, "chat service, for each message sealed"),
    KeyUse("nats_nonce", "NATS nonce of 15 characters", b"", "NATS link, to the person's own home only"),
    KeyUse("diffie_hellman", "X25519 shared secret", b"", "sealed messages, the ephemeral half"),
    KeyUse("static_secret", "X25519 shared secret", b"", "sealed messages, the half between two identities"),
    KeyUse("nats_guest", "derived seed", GUEST_PREFIX, "NATS link, at another person's home"),
)


class Signer:
    """An identity key that can do what `SIGNATURE_KINDS` lists and nothing else.

    Attributes:
        public: the identity's public key.
    """

    __slots__ = ("_key", "_seed", "_static", "_x25519", "public")

    def __init__(self, seed: Seed) -> None:
        self._seed: Final = seed
        self._key: Final = SigningKey(seed)
        self.public: Final[PublicKey] = self._key.public
        self._x25519: Final = self.public.x25519()
        # The secret of two long-lived keys never changes: worth a third of the cost of a message.
        self._static: Final = lru_cache(maxsize=_SHARED_MAX)(self._key.diffie_hellman)

    def __repr__(self) -> str:
        return f"Signer(public={self.public.hex})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never serialised")

    def registration(self, payload: dict[str, Any]) -> Envelope:
        """Sign a handle registration.

        Raises:
            EnvelopeError: the payload is of another type, or of another primary.
        """
        return self._envelope(EnvelopeKind.HANDLE_REGISTRATION, payload)

    def profile_proofs(self, payload: dict[str, Any]) -> Envelope:
        """Sign the list of subjects to be found by.

        Raises:
            EnvelopeError: the payload is of another type, or of another primary.
        """
        return self._envelope(EnvelopeKind.PROFILE_PROOFS, payload)

    def claim(self, payload: dict[str, Any]) -> Envelope:
        """Sign a claim.

        Raises:
            EnvelopeError: the payload is of another type, or of another primary.
        """
        return self._envelope(EnvelopeKind.CLAIM, payload)

    def sigchain_event(self, payload: dict[str, Any]) -> Envelope:
        """Sign an event of the identity's own sigchain.

        Raises:
            EnvelopeError: the payload is of another type, or of another primary.
        """
        return self._envelope(EnvelopeKind.SIGCHAIN_EVENT, payload)

    def rotate_consent(self, payload: dict[str, Any]) -> dict[str, str]:
        """Agree, as the new key, to a rotation.

        Args:
            payload: the whole rotate event's payload without `new_signature`.

        Returns:
            `{alg, sig}`, the event's `new_signature`.

        Raises:
            EnvelopeError: not a rotation to this key.
        """
        return sign_consent(self.public, self._key.sign, payload)

    def body_signature(self, handshake_hash: bytes, body: dict[str, Any]) -> str:
        """Sign the body of a sealed message, bound to its handshake.

        Args:
            handshake_hash: 32 bytes of the Noise handshake that carries it.
            body: the body without `sig`.

        Returns:
            The signature in lower-case hex.

        Raises:
            KeyMaterialError: the handshake hash is not 32 bytes.
            EnvelopeError: the body is not from this identity.
        """
        if len(handshake_hash) != _HASH_SIZE:
            raise KeyMaterialError(f"a handshake hash is {_HASH_SIZE} bytes")
        if body.get("from") != self.public.primary or "sig" in body:
            raise EnvelopeError("the body is not an unsigned one from this identity")
        return self._key.sign(b"".join((BODY_PREFIX, handshake_hash, canonicalize(body)))).hex()

    def follow_snapshot(self, snapshot: dict[str, Any]) -> bytes:
        """Sign what was seen of somebody, so that it cannot be changed on this machine unnoticed.

        Returns:
            The 64-byte signature over `FOLLOW_PREFIX` and JCS of the snapshot.
        """
        return self._key.sign(FOLLOW_PREFIX + canonicalize(snapshot))

    def nats_nonce(self, nonce: str) -> bytes:
        """Answer the nonce of a NATS server, of the person's own home only.

        Returns:
            The 64-byte signature.

        Raises:
            KeyMaterialError: anything but 15 characters of base64url; a rogue server would have us sign
                a document of its own.
        """
        if not _NONCE.fullmatch(nonce):
            raise KeyMaterialError("the server's nonce is not one of a NATS server")
        return self._key.sign(nonce.encode("ascii"))

    def x25519_public(self) -> bytes:
        """Return the 32-byte X25519 public key."""
        return self._x25519

    def diffie_hellman(self, x25519_public: bytes) -> bytes:
        """Return the 32-byte secret shared with an ephemeral X25519 key.

        Raises:
            KeyMaterialError: wrong size, or the result is all zeros.
        """
        return self._key.diffie_hellman(x25519_public)

    def static_secret(self, x25519_public: bytes) -> bytes:
        """Return the 32-byte secret shared with another identity's long-lived X25519 key, remembered.

        Raises:
            KeyMaterialError: wrong size, or the result is all zeros.
        """
        return self._static(x25519_public)

    def nats_guest(self, host: str) -> "Signer":
        """Return the derived signer that shows itself at another person's home.

        Args:
            host: that home's server name, normal form.
        """
        return Signer(derive_seed(self._seed, GUEST_PREFIX + host.encode("utf-8")))

    def _envelope(self, kind: EnvelopeKind, payload: dict[str, Any]) -> Envelope:
        return sign_payload(self.public, self._key.sign, kind, payload)


def sign_payload(
    public: PublicKey, sign: Callable[[bytes], bytes], kind: EnvelopeKind, payload: dict[str, Any]
) -> Envelope:
    """Make a signature envelope with a key that only the caller has.

    Raises:
        EnvelopeError: the payload is of another type, or of another primary.
    """
    check_payload(kind, payload)
    if payload["primary"] != public.primary:
        raise EnvelopeError("the payload is of another primary")
    signature = sign(canonicalize(payload)).hex()
    return Envelope(kind.value, payload, public.alg, public.primary, signature)


def sign_consent(
    public: PublicKey, sign: Callable[[bytes], bytes], payload: dict[str, Any]
) -> dict[str, str]:
    """Make a rotation's `new_signature` with a key that only the caller has.

    Raises:
        EnvelopeError: not a rotation to this key.
    """
    check_payload(EnvelopeKind.SIGCHAIN_EVENT, payload)
    if payload.get("op") != "rotate" or payload.get("new_primary") != public.primary:
        raise EnvelopeError("the payload is not a rotation to this key")
    if "new_signature" in payload:
        raise EnvelopeError("the payload holds a consent already")
    return {"alg": public.alg, "sig": sign(ROTATE_PREFIX + canonicalize(payload)).hex()}
