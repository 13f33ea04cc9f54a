"""Claims: "I, this primary, am also that subject", signed, and checked against what was looked for.

Not here: where proofs are published (`kezd.kez.channels`) and their encodings (`kezd.kez.proofs`). Invariant:
a `Claim` is always the result of a full verification; expiry is a question of the caller's clock.
"""

from dataclasses import dataclass
from typing import Any, Final

from kezd.kez.envelope import PAYLOAD_VERSION, Envelope, EnvelopeKind, verify_envelope
from kezd.kez.errors import EnvelopeError, IdentifierError, TimestampError, shown
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.kez.keys import PublicKey
from kezd.kez.timestamps import format_timestamp, parse_timestamp

EXPIRES: Final = "expires_at"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim whose signature holds.

    Attributes:
        primary: who says it.
        subject: what they say they are.
        created_at: unix seconds, as signed.
        expires_at: unix seconds from which it holds no more, None for never.
        envelope: the whole signed statement.
    """

    primary: PublicKey
    subject: Identifier
    created_at: int
    expires_at: int | None
    envelope: Envelope

    def has_expired(self, now: float) -> bool:
        """Whether it holds no more at a time in unix seconds."""
        return self.expires_at is not None and now >= self.expires_at


def claim_payload(
    primary: PublicKey, subject: str, created_at: int, expires_at: int | None = None
) -> dict[str, Any]:
    """Return the payload that `Signer.claim` signs; the subject is brought into normal form.

    Args:
        primary: who claims.
        subject: for example `github:alice`.
        created_at: unix seconds.
        expires_at: unix seconds, after `created_at`; None for never.

    Raises:
        IdentifierError: the subject is not an identifier, or is the primary itself.
        EnvelopeError: it would have expired before it began.
    """
    identifier = parse_identifier(subject)
    if str(identifier) == primary.primary:
        raise IdentifierError("a primary does not claim itself")
    payload = {
        "type": EnvelopeKind.CLAIM.payload_type,
        "version": PAYLOAD_VERSION,
        "primary": primary.primary,
        "subject": str(identifier),
        "created_at": format_timestamp(created_at),
    }
    if expires_at is None:
        return payload
    if expires_at <= created_at:
        raise EnvelopeError("a claim expires after it was made")
    return payload | {EXPIRES: format_timestamp(expires_at)}


def verify_claim(envelope: Envelope) -> Claim:
    """Verify a claim's form and signature.

    Raises:
        EnvelopeError: not a claim, or its subject or expiry is not good.
        IdentifierError: the primary is not one.
        KeyMaterialError: the primary is not a usable key.
        SignatureError: the signature does not hold.
    """
    primary = verify_envelope(envelope, EnvelopeKind.CLAIM)
    payload = envelope.payload
    text = payload.get("subject")
    try:
        subject = parse_identifier(text) if isinstance(text, str) else None
        expires_at = parse_timestamp(payload[EXPIRES]) if EXPIRES in payload else None
    except (IdentifierError, TimestampError) as error:
        raise EnvelopeError(f"the claim is not good: {error}") from error
    if subject is None or str(subject) != text:
        raise EnvelopeError(f"the subject {shown(text)} is not an identifier in normal form")
    return Claim(primary, subject, parse_timestamp(payload["created_at"]), expires_at, envelope)
