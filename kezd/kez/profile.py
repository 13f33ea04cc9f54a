"""The signed list of subjects that a person wants to be found by at their home server.

A hint and nothing more: each subject is proven by its own proof, which whoever looks checks (`verification`).
Not here: storing it. Invariant: a `Profile` is always the result of a full verification.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kezd.kez.envelope import PAYLOAD_VERSION, Envelope, EnvelopeKind, verify_envelope
from kezd.kez.errors import EnvelopeError, HandleError, IdentifierError, shown
from kezd.kez.handles import Handle, parse_name, parse_server_name
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.keys import PublicKey
from kezd.kez.timestamps import format_timestamp, parse_timestamp

MAX_PROOFS: Final = 64


@dataclass(frozen=True, slots=True)
class Profile:
    """A verified profile.

    Attributes:
        handle: whose it is, qualified.
        key: the primary that signed it, which is the handle's own or what it was rotated to.
        subjects: what the person can be found by.
        created_at: unix seconds, as signed.
    """

    handle: Handle
    key: PublicKey
    subjects: tuple[Identifier, ...]
    created_at: int


def profile_payload(
    handle: Handle, primary: PublicKey, subjects: Sequence[str], created_at: int
) -> dict[str, Any]:
    """Return the payload that `Signer.profile_proofs` signs; subjects are brought into normal form, in order.

    Raises:
        IdentifierError: a subject is not an identifier.
        EnvelopeError: more than 64 of them.
    """
    if len(subjects) > MAX_PROOFS:
        raise EnvelopeError(f"a profile has at most {MAX_PROOFS} proofs")
    return {
        "type": EnvelopeKind.PROFILE_PROOFS.payload_type,
        "version": PAYLOAD_VERSION,
        "primary": primary.primary,
        "handle": handle.name,
        "server": handle.server,
        "proofs": sorted({str(parse_identifier(subject)) for subject in subjects}),
        "created_at": format_timestamp(created_at),
    }


def verify_profile(envelope: Envelope, *, server: str) -> Profile:
    """Verify a profile for one server.

    Raises:
        EnvelopeError: not a profile, of another server, or its members are not good.
        IdentifierError: its primary is not one.
        KeyMaterialError: its primary is not a usable key.
        SignatureError: the signature does not hold.
    """
    key = verify_envelope(envelope, EnvelopeKind.PROFILE_PROOFS)
    payload = envelope.payload
    if payload.get("server") != parse_server_name(server):
        raise EnvelopeError(f"the profile is for {shown(payload.get('server'))}")
    proofs = payload.get("proofs")
    if not isinstance(proofs, list) or len(proofs) > MAX_PROOFS:
        raise EnvelopeError(f"a profile lists at most {MAX_PROOFS} proofs")
    try:
        handle = Handle(parse_name(payload.get("handle")), payload["server"])
        subjects = tuple(_subject(text) for text in proofs)
    except (HandleError, IdentifierError) as error:
        raise EnvelopeError(f"the profile is not good: {error}") from error
    if list(map(str, subjects)) != sorted(set(map(str, subjects))):
        raise EnvelopeError("the proofs of a profile are sorted, each once")
    return Profile(handle, key, subjects, parse_timestamp(payload["created_at"]))


def _subject(text: object) -> Identifier:
    subject = parse_identifier(text) if isinstance(text, str) else None
    if subject is None or str(subject) != text:
        raise IdentifierError(f"{shown(text)} is not an identifier in normal form")
    return subject
