"""The table of methods: what the socket answers.

Everything else comes from it: dispatch, parameter checks, scopes, the OpenRPC document,
the generated clients and the documentation. Pure: names and types, no behaviour.
"""

from kezd.api.methods import chat, contacts, daemon, events, identity, session
from kezd.api.methods.row import Method, Scope

__all__ = ["API_MIN", "API_VERSION", "METHODS", "Method", "Scope"]

API_VERSION = 1
API_MIN = 1

METHODS: tuple[Method, ...] = (
    *session.METHODS,
    *daemon.METHODS,
    *identity.METHODS,
    *contacts.METHODS,
    *chat.METHODS,
    *events.METHODS,
)
