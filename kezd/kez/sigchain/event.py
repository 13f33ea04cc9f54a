"""One event of a sigchain: its payload and its decoding.

Not here: whether it is signed by the right key and follows the head (`Chain.append`). Invariants: an `Event`
is well formed and its hashes are those of its own bytes; it is true only inside a `Chain`; it keeps bytes and
not what they parse to, because a stranger's 16 MiB of JSON are some hundreds of MiB of objects.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from kezd.kez.envelope import (
    PAYLOAD_VERSION,
    Envelope,
    EnvelopeKind,
    check_envelope,
    decode_envelope,
    encode_envelope,
)
from kezd.kez.errors import SigchainError, shown
from kezd.kez.jcs import MAX_INT, canonicalize
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain.ops import Action, Members, read_action
from kezd.kez.timestamps import format_timestamp, parse_timestamp

_PAYLOAD_START: Final = len(b'{"kez":"sigchain_event","payload":')
_BASE: Final = frozenset({"type", "version", "primary", "seq", "prev", "created_at", "op"})
_OP: Final = re.compile(r"[a-z0-9_]{1,64}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a chain: its seq and its hash (64 hex digits)."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Event:
    """A well-formed event.

    Attributes:
        alg: algorithm of the signature.
        key: the primary that is said to have signed it.
        sig: 64-byte signature in lower-case hex.
        seq: place in the chain, from 1.
        prev: hash of the event before, None at 1.
        op: the operation's name.
        action: what the operation says, read.
        created_at: unix seconds, as signed.
        encoded: JCS of the whole envelope.
        hash: lower-case hex SHA-256 of `encoded`.
        payload_hash: lower-case hex SHA-256 of JCS of the payload.
    """

    alg: str
    key: str
    sig: str
    seq: int
    prev: str | None
    op: str
    action: Action
    created_at: int
    encoded: bytes
    hash: str
    payload_hash: str

    @property
    def envelope(self) -> Envelope:
        """The signature envelope, decoded anew."""
        return decode_envelope(self.encoded)

    @property
    def members(self) -> Members:
        """The operation's members as they were signed, decoded anew."""
        return _members(self.envelope.payload)

    def verify(self, key: PublicKey) -> None:
        """Check that a key signed the payload.

        Raises:
            SignatureError: it did not.
        """
        key.verify(_payload_bytes(self.encoded, self.alg, self.key, self.sig), bytes.fromhex(self.sig))


def _members(payload: dict[str, Any]) -> Members:
    return {name: value for name, value in payload.items() if name not in _BASE}


def _payload_bytes(encoded: bytes, alg: str, key: str, sig: str) -> bytes:
    """JCS of the payload, which stands in JCS of the envelope as it is."""
    end = canonicalize({"alg": alg, "key": key, "sig": sig})
    return encoded[_PAYLOAD_START : -len(b',"signature":' + end + b"}")]


def build_payload(
    primary: PublicKey, head: Head | None, op: str, members: Members, created_at: int
) -> dict[str, Any]:
    """Return the payload of the event that follows a head.

    Args:
        primary: the key that signs it.
        head: what it follows, None for the first.
        op: the operation's name.
        members: the operation's members.
        created_at: unix seconds.

    Raises:
        SigchainError: the op or its members are not good.
    """
    if not _OP.fullmatch(op) or not _BASE.isdisjoint(members):
        raise SigchainError(f"the op {shown(op)} has a bad name or a member that every event has")
    return {
        "type": EnvelopeKind.SIGCHAIN_EVENT.payload_type,
        "version": PAYLOAD_VERSION,
        "primary": primary.primary,
        "seq": 1 if head is None else head.seq + 1,
        "prev": None if head is None else head.hash,
        "created_at": format_timestamp(created_at),
        "op": op,
        **members,
    }


def event_from_envelope(envelope: Envelope) -> Event:
    """Take an event from a well-formed envelope, signed or not.

    Raises:
        EnvelopeError: not a sigchain event.
        SigchainError: seq, prev, op or members are not good.
        CanonicalError: the payload holds what KEZ does not sign.
        KeyMaterialError: it names a key that is not usable.
        SignatureError: a signature algorithm that is not checked here.
    """
    check_envelope(envelope, EnvelopeKind.SIGCHAIN_EVENT)
    payload = envelope.payload
    seq, prev, op = payload.get("seq"), payload.get("prev"), payload.get("op")
    if type(seq) is not int or not 0 < seq <= MAX_INT:
        raise SigchainError("seq counts from 1")
    if "prev" not in payload or (prev is None) != (seq == 1):
        raise SigchainError("prev is null at seq 1 and nowhere else")
    if prev is not None and (not isinstance(prev, str) or not _HASH.fullmatch(prev)):
        raise SigchainError("prev is the hash of the event before")
    if not isinstance(op, str) or not _OP.fullmatch(op):
        raise SigchainError("the event names no operation")
    encoded = encode_envelope(envelope)
    return Event(
        alg=envelope.alg,
        key=envelope.key,
        sig=envelope.sig,
        seq=seq,
        prev=prev,
        op=op,
        action=read_action(op, _members(payload)),
        created_at=parse_timestamp(payload["created_at"]),
        encoded=encoded,
        hash=hashlib.sha256(encoded).hexdigest(),
        payload_hash=hashlib.sha256(
            _payload_bytes(encoded, envelope.alg, envelope.key, envelope.sig)
        ).hexdigest(),
    )


def decode_event(data: bytes) -> Event:
    """Decode the JSON of one event, at most 64 KiB.

    Raises:
        CanonicalError: not JSON as KEZ signs it.
        EnvelopeError: not an envelope of a sigchain event.
        SigchainError: seq, prev, op or members are not good.
        KeyMaterialError: it names a key that is not usable.
        SignatureError: a signature algorithm that is not checked here.
    """
    return event_from_envelope(decode_envelope(data))
