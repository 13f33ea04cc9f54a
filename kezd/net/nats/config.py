"""What the NATS transport is told: own addresses, limits, patience. Values only."""

import ssl
from dataclasses import dataclass

from kezd.kez.keys import PublicKey
from kezd.kez.signing import Signer
from kezd.net.nats.endpoint import Endpoint
from kezd.runtime.backoff import BackoffPolicy

KIB = 1024
HEADER_ROOM = 512
"""Bytes of a publish that are not its data."""

UNREACHABLE = BackoffPolicy(first=0.2, ceiling=30)
REFUSED = BackoffPolicy(first=8, ceiling=300, floor=5)


@dataclass(frozen=True, slots=True)
class NatsConfig:
    """Settings of one peer's transport. Times are seconds.

    Attributes:
        endpoints: the person's own configured home; only these are shown the identity key.
        tls: how foreign certificates are checked; None is the system's trust store.
        stream: the home's inbox stream.
        max_message: bytes of one sealed envelope; the home's stream has room for headers beside it.
        attempt_timeout: how long one publish waits for its acknowledgement.
        connect_timeout: TCP, TLS and CONNECT together; above the server's 2 s for its callout.
        backoff: between attempts while the home is unreachable.
        refused: between attempts after the home said no.
        quota_retry: how often a link that may not send asks whether it may again.
        renew_at: part of the credential's life after which it is renewed.
        guest_idle: a guest connection without traffic is closed after this.
        guest_limit: guest connections at once.
        guest_refusal: how long a foreign home's refusal is believed.
    """

    endpoints: tuple[Endpoint, ...]
    tls: ssl.SSLContext | None = None
    stream: str = "KEZ_INBOX"
    max_message: int = 192 * KIB
    attempt_timeout: float = 5.0
    connect_timeout: float = 8.0
    backoff: BackoffPolicy = UNREACHABLE
    refused: BackoffPolicy = REFUSED
    quota_retry: float = 30.0
    renew_at: float = 0.7
    guest_idle: float = 60.0
    guest_limit: int = 16
    guest_refusal: float = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a connection is.

    Attributes:
        signer: the key that answers the broker's nonce.
        identity: whose subjects it uses; another key than the signer's after a rotation.
        name: what the connection calls itself.
    """

    signer: Signer
    identity: PublicKey
    name: str

    @property
    def hex(self) -> str:
        """64 lower-case hex: `<me>` in subjects."""
        return self.identity.hex
