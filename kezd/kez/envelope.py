"""The signature envelope: `{kez, payload, signature}`, its decoding and its verification.

Not here: making signatures (`kezd.kez.signing`) and what a payload means. Invariants: exactly these members;
a kind goes with one payload type; the key that signs is the payload's primary; what is signed is JCS of the
payload. An `Envelope` value is well formed, but only `verify_envelope` says that it is true.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kezd.kez.errors import CanonicalError, EnvelopeError, SignatureError, shown
from kezd.kez.jcs import MAX_BYTES, canonicalize, parse_json
from kezd.kez.keys import ALG_ED25519, PublicKey
from kezd.kez.nostr_keys import ALG_NOSTR, NOSTR_PREFIX, parse_any_primary
from kezd.kez.timestamps import parse_timestamp

PAYLOAD_VERSION: Final = 1

_HEX_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
_ALG: Final = re.compile(r"[a-z0-9-]{1,64}")
_MEMBERS: Final = {"kez", "payload", "signature"}
_SIGNATURE_MEMBERS: Final = {"alg", "key", "sig"}


class EnvelopeKind(StrEnum):
    """What kind of statement an envelope makes."""

    CLAIM = "claim"
    SIGCHAIN_EVENT = "sigchain_event"
    HANDLE_REGISTRATION = "handle_registration"
    PROFILE_PROOFS = "profile_proofs"

    @property
    def payload_type(self) -> str:
        """The one payload type that goes with this kind."""
        return _PAYLOAD_TYPES[self]


_PAYLOAD_TYPES: Final = {
    EnvelopeKind.CLAIM: "kez.claim",
    EnvelopeKind.SIGCHAIN_EVENT: "kez.sigchain.event",
    EnvelopeKind.HANDLE_REGISTRATION: "kez.chat.handle_registration",
    EnvelopeKind.PROFILE_PROOFS: "kez.chat.profile_proofs",
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed signature envelope; true only after `verify_envelope`.

    Attributes:
        kind: what it says it is.
        payload: the signed members; not to be modified.
        alg: signature algorithm.
        key: the primary that is said to have signed.
        sig: 64-byte signature in lower-case hex.
    """

    kind: str
    payload: dict[str, Any]
    alg: str
    key: str
    sig: str

    def to_value(self) -> dict[str, Any]:
        """Return the envelope as the JSON object it travels as."""
        signature = {"alg": self.alg, "key": self.key, "sig": self.sig}
        return {"kez": self.kind, "payload": self.payload, "signature": signature}


def decode_envelope(data: bytes) -> Envelope:
    """Decode the JSON of an envelope, at most 64 KiB.

    Raises:
        CanonicalError: not JSON as KEZ signs it.
        EnvelopeError: other members or other types.
    """
    return envelope_from_value(parse_json(data))


def envelope_from_value(value: object) -> Envelope:
    """Take an envelope from a parsed JSON value.

    Raises:
        EnvelopeError: other members or other types.
    """
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise EnvelopeError("an envelope has exactly the members kez, payload, signature")
    kind, payload, signature = value["kez"], value["payload"], value["signature"]
    if not isinstance(kind, str) or not isinstance(payload, dict) or not isinstance(signature, dict):
        raise EnvelopeError("a member of the envelope has the wrong type")
    if signature.keys() != _SIGNATURE_MEMBERS:
        raise EnvelopeError("a signature has exactly the members alg, key, sig")
    alg, key, sig = signature["alg"], signature["key"], signature["sig"]
    if not isinstance(alg, str) or not _ALG.fullmatch(alg):
        raise EnvelopeError("the signature names no algorithm")
    if not isinstance(key, str) or not 0 < len(key) <= 256:
        raise EnvelopeError("the signature names no key")
    if not isinstance(sig, str) or not _HEX_SIGNATURE.fullmatch(sig):
        raise EnvelopeError("a signature is written as 128 lower-case hex digits")
    return Envelope(kind, payload, alg, key, sig)


def encode_envelope(envelope: Envelope) -> bytes:
    """Encode a whole envelope as JCS, at most 64 KiB.

    Raises:
        CanonicalError: the payload holds what KEZ does not sign.
        EnvelopeError: the result is larger than a decoder takes.
    """
    data = canonicalize(envelope.to_value())
    if len(data) > MAX_BYTES:
        raise EnvelopeError(f"an envelope has at most {MAX_BYTES} bytes")
    return data


def check_payload(kind: EnvelopeKind, payload: dict[str, Any]) -> None:
    """Check the members that every payload has, and that the type goes with the kind.

    Raises:
        EnvelopeError: wrong type, version, primary's type, or time.
    """
    if payload.get("type") != kind.payload_type:
        raise EnvelopeError(f"a payload of kind {kind} has the type {kind.payload_type}")
    # `is` because True equals 1 and is not a version.
    if type(payload.get("version")) is not int or payload["version"] != PAYLOAD_VERSION:
        raise EnvelopeError(f"a payload has the version {PAYLOAD_VERSION}")
    if not isinstance(payload.get("primary"), str):
        raise EnvelopeError("a payload names its primary")
    try:
        parse_timestamp(payload.get("created_at"))
    except CanonicalError as error:
        raise EnvelopeError(f"the payload has no good created_at: {error}") from error


def check_envelope(envelope: Envelope, kind: str) -> None:
    """Check everything about an envelope but the key and the signature.

    Raises:
        EnvelopeError: another kind, its type does not go with it, or the key is not the primary.
        SignatureError: an algorithm that is not checked here.
    """
    try:
        expected = EnvelopeKind(kind)
    except ValueError as error:
        raise EnvelopeError(f"there is no kind {shown(kind)}") from error
    if envelope.kind != expected:
        raise EnvelopeError(f"the envelope is of kind {shown(envelope.kind)}, not {expected}")
    check_payload(expected, envelope.payload)
    if envelope.key != envelope.payload["primary"]:
        raise EnvelopeError("the key of the signature is not the payload's primary")
    if envelope.alg != _alg_of(envelope.key):
        raise SignatureError(f"signatures of {shown(envelope.alg)} are not taken here")


def _alg_of(primary: str) -> str:
    return ALG_NOSTR if primary.startswith(NOSTR_PREFIX) else ALG_ED25519


def verify_signature(envelope: Envelope, public: PublicKey) -> None:
    """Check that a key signed the envelope's payload.

    Raises:
        CanonicalError: the payload holds what KEZ does not sign.
        SignatureError: it did not.
    """
    public.verify(canonicalize(envelope.payload), bytes.fromhex(envelope.sig))


def verify_envelope(envelope: Envelope, kind: str) -> PublicKey:
    """Verify an envelope that its own primary has signed.

    Args:
        envelope: a well-formed envelope.
        kind: the kind it must be of, a value of `EnvelopeKind`.

    Returns:
        The primary that signed it, of either kind.

    Raises:
        EnvelopeError: another kind or type, bad version, time or key.
        IdentifierError: the primary is neither an ed25519 nor a nostr primary.
        KeyMaterialError: the primary is not a usable key.
        SignatureError: the signature does not hold.
    """
    check_envelope(envelope, kind)
    public = parse_any_primary(envelope.key)
    verify_signature(envelope, public)
    return public
