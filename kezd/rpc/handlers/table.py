"""Which function answers which method. Read together with `kezd.api.methods`."""

from collections.abc import Mapping
from types import MappingProxyType

from kezd.rpc.dispatch import Handler
from kezd.rpc.handlers import (
    audit,
    backup,
    chat,
    claims,
    confirmations,
    contacts,
    daemon,
    events,
    identity,
    profiles,
    session,
    sigchain,
    tokens,
)

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        **session.HANDLERS,
        **daemon.HANDLERS,
        **identity.HANDLERS,
        **contacts.HANDLERS,
        **chat.HANDLERS,
        **claims.HANDLERS,
        **events.HANDLERS,
        **backup.HANDLERS,
        **profiles.HANDLERS,
        **sigchain.HANDLERS,
        **tokens.HANDLERS,
        **confirmations.HANDLERS,
        **audit.HANDLERS,
    }
)
