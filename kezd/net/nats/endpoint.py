"""Broker addresses: how they are written, which are ours, which may do without TLS.

Pure. Two spellings of one address (`nats://Home:4222`, `tls://home:4222`) are one endpoint,
so that a chain's spelling of our own home is not mistaken for a foreign one.
"""

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

DEFAULT_PORT = 4222
SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker address. Equal when host and port are; the scheme is only how it was written."""

    host: str
    port: int
    scheme: str = field(default="nats", compare=False)

    @property
    def url(self) -> str:
        """As nats-py takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """This machine itself: the only place where TLS may be missing."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_endpoint(text: str) -> Endpoint:
    """`nats://host:port` or `tls://host:port`, port 4222 when missing.

    Raises:
        ValueError: another scheme, credentials in it, or no host.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a broker address carries no credentials")
    if not parts.hostname:
        raise ValueError("a broker address needs a host")
    return Endpoint(parts.hostname.lower(), parts.port or DEFAULT_PORT, parts.scheme)


# A memo of a pure function: every message names its recipient's addresses, nearly always the same.
@lru_cache(maxsize=256)
def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Addresses separated by commas, in order.

    Raises:
        ValueError: as `parse_endpoint`.
    """
    return tuple(parse_endpoint(part) for part in text.split(","))
