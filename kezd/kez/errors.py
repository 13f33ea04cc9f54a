"""Every error that the protocol package raises, each with one stable slug.

Not here: errors of processes, stores and links (`kezd.errors`). Invariants: a slug is used once and never
changes its meaning; no message holds a secret; text that came from outside goes through `shown`.
"""

from typing import ClassVar, Final

SHOWN_MAX: Final = 48  # characters of foreign text in a message


def shown(value: object) -> str:
    """Return foreign text as printable ASCII in quotes, at most `SHOWN_MAX` characters of it.

    Args:
        value: what an outsider supplied; never a secret.

    Returns:
        Escaped text that cannot break a line, a terminal or a log field.
    """
    text = value if isinstance(value, str) else type(value).__name__
    cut = text[:SHOWN_MAX]
    return ascii(cut) + ("…" if len(text) > SHOWN_MAX else "")


class KezError(Exception):
    """Something is not what the KEZ protocol says it must be."""

    slug: ClassVar[str] = "kez"


class IdentifierError(KezError):
    """That is not a KEZ identifier (system:identifier)."""

    slug = "bad_identifier"


class HandleError(KezError):
    """That is not a handle."""

    slug = "bad_handle"


class KeyMaterialError(KezError):
    """That key cannot be used."""

    slug = "bad_key"


class MnemonicError(KezError):
    """Those recovery words are not right."""

    slug = "bad_mnemonic"


class CanonicalError(KezError):
    """That is not JSON as KEZ signs it."""

    slug = "not_canonical"


class TimestampError(CanonicalError):
    """That is not a time as KEZ writes it (2026-01-01T00:00:00Z)."""

    slug = "bad_timestamp"


class EnvelopeError(KezError):
    """That is not a signature envelope."""

    slug = "bad_envelope"


class SignatureError(KezError):
    """The signature does not hold."""

    slug = "bad_signature"


class RegistrationError(KezError):
    """That handle registration cannot be accepted.

    Attributes:
        reason: stable slug of what was wrong, from `kezd.kez.registration.Reason`.
    """

    slug = "bad_registration"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SigchainError(KezError):
    """That sigchain does not hold together."""

    slug = "bad_sigchain"


class ConflictError(SigchainError):
    """The event does not follow the head of the chain.

    Attributes:
        seq: seq of the head that the event would have had to follow, 0 for an empty chain.
        hash: lower-case hex hash of that head, None for an empty chain.
    """

    slug = "sigchain_conflict"

    def __init__(self, message: str, *, seq: int, hash: str | None) -> None:
        super().__init__(message)
        self.seq = seq
        self.hash = hash


class ForkError(SigchainError):
    """Two different events claim one place of the same chain.

    Attributes:
        seq: the first place where the two chains differ.
    """

    slug = "fork"

    def __init__(self, message: str, *, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


class RollbackError(SigchainError):
    """The chain's own server shows less of the chain than was seen before."""

    slug = "rollback"


class StaleError(SigchainError):
    """A mirror shows an older state of the chain."""

    slug = "stale"


class EncodingError(KezError):
    """Those bytes are not in the encoding they claim."""

    slug = "bad_encoding"


class NoiseError(KezError):
    """The Noise handshake failed."""

    slug = "bad_noise"


class SealedError(KezError):
    """That sealed message cannot be opened."""

    slug = "bad_sealed"


class WrongRecipientError(SealedError):
    """The message was written to somebody else."""

    slug = "wrong_recipient"


class UnauthorisedSenderError(SealedError):
    """The key that sealed the message does not speak for the sender it names."""

    slug = "unauthorised_sender"


class NeedsNewerVersionError(KezError):
    """That was made by a newer version of KEZ.

    Attributes:
        version: the version number that was met.
    """

    slug = "needs_newer_version"

    def __init__(self, message: str, *, version: int) -> None:
        super().__init__(message)
        self.version = version


class BodyError(KezError):
    """The content of the message is not what its kind says."""

    slug = "bad_body"
