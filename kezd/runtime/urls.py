"""Which URLs a home or sigchain server may be asked at."""

import ipaddress
from urllib.parse import urlsplit


def is_acceptable_url(url: str) -> bool:
    """Whether a home may be asked there: https, or http on a loopback address; no user, query or fragment."""
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or 0 < parts.port <= 65535
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment or not port_ok:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_loopback(host: str) -> bool:
    """Whether a host (name or address, no port) can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
