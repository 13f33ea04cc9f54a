"""Which addresses a stranger's URL may lead to: the public Internet and nothing else.

Pure. Invariant: an address that carries another inside (mapped, translated, tunnelled) is judged by both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Networks that `is_global` of some supported Python takes for global, or that lead elsewhere than they say.
_NEVER: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # RFC 6598, carriers' NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # RFC 7526, the old 6to4 relays
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2002::/16",  # RFC 7526: 6to4
        "2001::/23",  # RFC 2928: Teredo and others
        "2001:db8::/32",
        "3fff::/20",  # RFC 9637, documentation
    )
)
_UNICAST: Final = ip_network("2000::/3")  # RFC 4291: all that is given out of IPv6
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


@dataclass(frozen=True, slots=True)
class AddressRule:
    """What may be connected to.

    Attributes:
        allowed: networks that the person's configuration allows beside the public ones, for a
            service of their own, or a test.
    """

    allowed: tuple[Network, ...] = field(default=())

    @classmethod
    def of(cls, networks: Iterable[str]) -> Self:
        """A rule that also allows these networks.

        Raises:
            ValueError: one of them is not a network.
        """
        return cls(tuple(ip_network(text) for text in networks))

    def permits(self, text: str) -> bool:
        """Whether an address, as a resolver gives it, may be connected to."""
        try:
            address = ip_address(text)
        except ValueError:  # also one with a zone, which is link-local
            return False
        inner = _inner(address)
        if any(
            one.version == net.version and one in net for one in (address, *inner) for net in self.allowed
        ):
            return True
        return _is_public(address) and all(_is_public(one) for one in inner)


def _is_public(address: Address) -> bool:
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or any(address in net for net in _NAT64)):
        return True  # judged by what is inside
    return address.is_global and (address.version == 4 or address in _UNICAST)


def _inner(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped]
    if any(address in net for net in _NAT64):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]
