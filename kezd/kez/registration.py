"""Handle registrations: the signed statement that a handle at a server belongs to a primary.

Not here: uniqueness and the record kept by the home server. Invariant: a `Registration` is always the result
of a full verification, made alike by the home server and by every peer that reads the stored one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kezd.kez.envelope import PAYLOAD_VERSION, Envelope, EnvelopeKind, verify_envelope
from kezd.kez.errors import (
    CanonicalError,
    EnvelopeError,
    HandleError,
    IdentifierError,
    KeyMaterialError,
    RegistrationError,
    SignatureError,
    shown,
)
from kezd.kez.handles import Handle, parse_name, parse_server_name
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import NO_CHAT, NOSTR_PREFIX
from kezd.kez.timestamps import format_timestamp, parse_timestamp

FRESHNESS: Final = 300  # seconds that created_at may be off the server's clock, either way


class Reason(StrEnum):
    """Why a registration is refused."""

    WRONG_TYPE = "wrong_type"
    WRONG_VERSION = "wrong_version"
    BAD_ENVELOPE = "bad_envelope"
    BAD_KEY = "bad_key"
    KEY_MISMATCH = "key_mismatch"
    BAD_SIGNATURE = "bad_signature"
    SERVER_MISMATCH = "server_mismatch"
    BAD_HANDLE = "bad_handle"
    STALE_DATE = "stale_date"


@dataclass(frozen=True, slots=True)
class Registration:
    """A verified registration.

    Attributes:
        handle: the handle, qualified.
        primary: the key it belongs to.
        created_at: unix seconds, as signed.
    """

    handle: Handle
    primary: PublicKey
    created_at: int


def registration_payload(handle: Handle, primary: PublicKey, created_at: int) -> dict[str, Any]:
    """Return the payload that `Signer.registration` signs.

    Args:
        handle: the handle to register.
        primary: the key it shall belong to.
        created_at: unix seconds.
    """
    return {
        "type": EnvelopeKind.HANDLE_REGISTRATION.payload_type,
        "version": PAYLOAD_VERSION,
        "primary": primary.primary,
        "handle": handle.name,
        "server": handle.server,
        "created_at": format_timestamp(created_at),
    }


def verify_registration(envelope: Envelope, *, server: str, now: int | None) -> Registration:
    """Verify a registration for one server.

    Args:
        envelope: a well-formed envelope.
        server: the name of the server it must be for.
        now: unix seconds of the clock it must be fresh by; None when an old, stored one is checked.

    Raises:
        RegistrationError: with the `reason`.
    """
    payload = envelope.payload
    if (
        envelope.kind != EnvelopeKind.HANDLE_REGISTRATION
        or payload.get("type") != EnvelopeKind.HANDLE_REGISTRATION.payload_type
    ):
        raise RegistrationError("that is not a handle registration", reason=Reason.WRONG_TYPE)
    if payload.get("version") != PAYLOAD_VERSION:
        raise RegistrationError(f"the version is not {PAYLOAD_VERSION}", reason=Reason.WRONG_VERSION)
    if envelope.key != payload.get("primary"):
        raise RegistrationError("the signing key is not the primary", reason=Reason.KEY_MISMATCH)
    primary = _verified(envelope)
    handle = _handle(payload, server)
    created_at = parse_timestamp(payload["created_at"])
    if now is not None and abs(now - created_at) > FRESHNESS:
        raise RegistrationError(
            f"created_at is more than {FRESHNESS} seconds off this server's clock", reason=Reason.STALE_DATE
        )
    return Registration(handle, primary, created_at)


def _verified(envelope: Envelope) -> PublicKey:
    if envelope.key.startswith(NOSTR_PREFIX):  # a handle is where messages go
        raise RegistrationError(NO_CHAT, reason=Reason.BAD_KEY)
    try:
        return verify_envelope(envelope, EnvelopeKind.HANDLE_REGISTRATION)
    except SignatureError as error:
        raise RegistrationError(str(error), reason=Reason.BAD_SIGNATURE) from error
    except (IdentifierError, KeyMaterialError) as error:
        raise RegistrationError(str(error), reason=Reason.BAD_KEY) from error
    except (EnvelopeError, CanonicalError) as error:
        raise RegistrationError(str(error), reason=Reason.BAD_ENVELOPE) from error


def _handle(payload: dict[str, Any], server: str) -> Handle:
    if payload.get("server") != parse_server_name(server):
        raise RegistrationError(
            f"the registration is for {shown(payload.get('server'))}", reason=Reason.SERVER_MISMATCH
        )
    try:
        return Handle(parse_name(payload.get("handle")), payload["server"])
    except HandleError as error:
        raise RegistrationError(str(error), reason=Reason.BAD_HANDLE) from error
