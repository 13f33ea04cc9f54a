"""A nostr key as a primary: signs claims and sigchain events, and nostr's own events, and nothing else.

The counterpart of `kezd.kez.signing.Signer` for a person whose primary is `nostr:npub1…`, or who publishes a
proof as that account. Invariants as there: typed methods only, one table of uses; chat is refused because there
is no method for it.
"""

from typing import Any, Final, NoReturn

from kezd.kez.envelope import Envelope, EnvelopeKind
from kezd.kez.nostr_events import NostrEvent, event_id
from kezd.kez.nostr_keys import NostrKey, NostrSecret
from kezd.kez.signing import ROTATE_PREFIX, KeyUse, sign_consent, sign_payload

NOSTR_SIGNATURE_KINDS: Final = (
    KeyUse("claim", "kez.claim", b"", "claims service, with a fresh confirmation"),
    KeyUse("sigchain_event", "kez.sigchain.event", b"", "identity service, with a fresh confirmation"),
    KeyUse(
        "rotate_consent", "kez.sigchain.event", ROTATE_PREFIX, "identity service, the new key of a rotation"
    ),
    KeyUse("nostr_event", "NIP-01 event", b"[0,", "publishers, with a fresh confirmation"),
)


class NostrSigner:
    """A nostr key that can do what `NOSTR_SIGNATURE_KINDS` lists and nothing else.

    Attributes:
        public: the public key.
    """

    __slots__ = ("_secret", "public")

    def __init__(self, secret: NostrSecret) -> None:
        self._secret: Final = secret
        self.public: Final[NostrKey] = secret.public

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
        """Agree, as the new key, to a rotation; as `Signer.rotate_consent`.

        Raises:
            EnvelopeError: not a rotation to this key.
        """
        return sign_consent(self.public, self._secret.sign, payload)

    def nostr_event(
        self, kind: int, tags: tuple[tuple[str, ...], ...], content: str, created_at: int
    ) -> NostrEvent:
        """Sign a nostr event (NIP-01).

        Raises:
            CanonicalError: a string holds what JSON cannot carry.
        """
        identity = event_id(self.public, created_at, kind, tags, content)
        signature = self._secret.sign_digest(identity)
        return NostrEvent(identity, self.public, created_at, kind, tags, content, signature)

    def _envelope(self, kind: EnvelopeKind, payload: dict[str, Any]) -> Envelope:
        return sign_payload(self.public, self._secret.sign, kind, payload)

    def __repr__(self) -> str:
        return f"NostrSigner(public={self.public.npub})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never serialised")
