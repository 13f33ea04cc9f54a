"""Values of the home directory port: what a home server said, not yet believed.

The port itself, `HomeDirectory`, is a Protocol in `kezd.services.ports`; the adapter is
`kezd.net.home`. Both import these values.
"""

from dataclasses import dataclass

from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import PublicKey


@dataclass(frozen=True, slots=True)
class HomeInfo:
    """What a home says of itself (`GET /v1/server`). Nothing in it is believed for security."""

    server: str
    version: str
    nats_urls: tuple[str, ...]
    sigchain_url: str
    guests: bool


@dataclass(frozen=True, slots=True)
class HandleRecord:
    """A home's answer to a lookup, with `registration` already decoded but NOT yet verified."""

    handle: Handle
    primary: PublicKey
    sigchain_url: str
    registered_at: int
    registration: Envelope


@dataclass(frozen=True, slots=True)
class FetchedChain:
    """A chain's bytes (JSONL) as a server gave them, not yet verified."""

    jsonl: bytes
    etag: str
