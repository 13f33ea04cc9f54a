"""What can go wrong with one connection, seen from the link that owns it.

Plain "not now" is `kezd.runtime.transport.TransportUnavailableError`; these are the answers
after which trying again at once would be wrong.
"""


class HomeRefusedError(Exception):
    """The home looked at the key and said no (NATS: Authorization Violation)."""


class SupersededError(Exception):
    """Another installation of this identity is the current one."""


class InsecureHomeError(Exception):
    """Not loopback and no TLS offered: no signature is given, no connection made."""
