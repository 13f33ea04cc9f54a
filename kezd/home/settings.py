"""What an operator can set, as one value; where it comes from is `main`'s matter.

Not here: limits that are the protocol's (`policy.Limits`), except those an operator may change.
"""

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kezd.home.gate import Network
from kezd.home.policy import Limits


class Role(StrEnum):
    """What one process serves."""

    UP = "up"
    REGISTRY = "registry"
    SIGCHAIN = "sigchain"


@dataclass(frozen=True, slots=True)
class Address:
    """`host:port` to listen on; port 0 lets the kernel choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `127.0.0.1:6969`, `[::1]:6969` or `localhost:6969`.

        Raises:
            ValueError: something else.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} is not host:port")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def url(self, port: int) -> str:
        """The http URL under which this machine reaches a listener that got `port`."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - read, not bound
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """One home server; times in seconds, sizes in bytes, rates in requests a minute."""

    role: Role
    directory: Path
    bind: Address
    internal_bind: Address
    db: Path
    sigchain_db: Path
    server: str
    sig_server_url: str | None = None
    public_url: str | None = None
    web_dir: Path | None = None
    own_nats_urls: tuple[str, ...] = ()
    nats_bind: Address = field(default_factory=lambda: Address("127.0.0.1", 4222))
    nats_public_urls: tuple[str, ...] = ()
    nats_websocket: str | None = None
    nats_monitoring: str | None = None
    issuer_path: Path | None = None
    credentials: Path | None = None
    """Where systemd handed over the four keys (`LoadCredential=issuer.nk:…`), if it did."""
    guests: bool = False
    sync_interval: str = "always"
    inbox_max_bytes: int | None = None
    replicas: int = 1
    register_per_minute: float = 30
    register_burst: int = 10
    sigchain_per_minute: float = 120
    sigchain_burst: int = 60
    trusted_proxies: tuple[Network, ...] = ()
    nats_networks: tuple[Network, ...] = ()
    quota_interval: float = 2.0
    limits: Limits = field(default_factory=Limits)

    @property
    def keys_directory(self) -> Path:
        """Where the nkey seeds are."""
        return self.credentials or self.directory / "keys"

    @property
    def embedded_nats(self) -> bool:
        """Whether this process runs its own nats-server."""
        return self.role is Role.UP and not self.own_nats_urls

    @property
    def has_nats(self) -> bool:
        """Whether this process serves the NATS side at all."""
        return self.role is not Role.SIGCHAIN and (self.embedded_nats or bool(self.own_nats_urls))


def parse_network(text: str) -> Network:
    """Read a CIDR range.

    Raises:
        ValueError: something else.
    """
    return ipaddress.ip_network(text)
