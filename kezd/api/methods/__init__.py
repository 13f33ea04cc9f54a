"""The table of methods: what the socket answers.

Everything else comes from it: dispatch, parameter checks, scopes, the OpenRPC document,
the generated clients and the documentation. Pure: names and types, no behaviour.
"""

from kezd.api.methods import (
    audit,
    backup,
    chat,
    claims,
    confirmations,
    contacts,
    daemon,
    events,
    graph,
    identity,
    profiles,
    session,
    sigchain,
    tokens,
)
from kezd.api.methods.row import Example, Method, Scope

__all__ = ["API_MIN", "API_RELEASED", "API_VERSION", "METHODS", "Example", "Method", "Scope"]

API_VERSION = 1
"""The newest version that is spoken."""
API_MIN = 1
"""The oldest version that is spoken."""
API_RELEASED = 0
"""The newest version that a release carried; a promise from then on. Raised when a release is tagged."""

METHODS: tuple[Method, ...] = (
    *session.METHODS,
    *daemon.METHODS,
    *identity.METHODS,
    *contacts.METHODS,
    *chat.METHODS,
    *claims.METHODS,
    *graph.METHODS,
    *events.METHODS,
    *backup.METHODS,
    *profiles.METHODS,
    *sigchain.METHODS,
    *tokens.METHODS,
    *confirmations.METHODS,
    *audit.METHODS,
)
