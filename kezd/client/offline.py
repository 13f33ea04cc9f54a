"""What clients can do without a daemon: pure functions of the protocol, handed on.

Not here: anything that needs keys, stores or the network. Imports nothing heavy.
"""

from kezd.kez.contact_uri import format_contact_uri, is_contact_uri, parse_contact_uri

__all__ = ["format_contact_uri", "is_contact_uri", "parse_contact_uri"]
