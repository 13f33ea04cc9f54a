"""Which function answers which method. Read together with `kezd.api.methods`."""

from collections.abc import Mapping
from types import MappingProxyType

from kezd.rpc.dispatch import Handler
from kezd.rpc.handlers import chat, contacts, daemon, events, identity, session

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "session.initialize": session.initialize,
        "session.unlock": session.unlock,
        "rpc.discover": session.discover,
        "daemon.version": daemon.version,
        "daemon.health": daemon.health,
        "daemon.doctor": daemon.doctor,
        "daemon.shutdown": daemon.shutdown,
        "identity.show": identity.show,
        "identity.create": identity.create,
        "identity.confirm": identity.confirm,
        "identity.register": identity.register,
        "identity.restore": identity.restore,
        "identity.words": identity.words,
        "contacts.add": contacts.add,
        "contacts.list": contacts.list_contacts,
        "contacts.show": contacts.show,
        "contacts.refresh": contacts.refresh,
        "contacts.accept": contacts.accept,
        "contacts.block": contacts.block,
        "contacts.decide": contacts.decide,
        "chat.send": chat.send,
        "chat.history": chat.history,
        "chat.message": chat.message,
        "chat.conversations": chat.conversations,
        "chat.read": chat.read,
        "events.subscribe": events.subscribe,
        "events.unsubscribe": events.unsubscribe,
    }
)
