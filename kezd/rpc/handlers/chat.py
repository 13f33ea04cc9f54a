"""`chat.*`."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler, make_once
from kezd.rpc.session import Session


async def send(session: Session, params: t.SendParams) -> t.SendResult:
    """Queue a text; the effect and the idempotency key are one transaction."""
    once = make_once(session, "chat.send", params)
    return await session.profile.chat.send(params.to, params.text, once, dry_run=params.dry_run)


async def history(session: Session, params: t.HistoryParams) -> t.MessagesResult:
    """A page of a conversation."""
    return await session.profile.chat.history(params.contact, session.page(params.limit), params.cursor)


async def message(session: Session, params: t.MessageRef) -> t.MessageResult:
    """One message."""
    return await session.profile.chat.message(params.id)


async def conversations(session: Session, params: t.PageParams) -> t.ConversationsResult:
    """A page of threads."""
    return await session.profile.chat.conversations(session.page(params.limit), params.cursor)


async def read(session: Session, params: t.ReadParams) -> t.ReadResult:
    """Mark as seen."""
    once = make_once(session, "chat.read", params)
    return await session.profile.chat.read(params.contact, params.up_to, once, dry_run=params.dry_run)


HANDLERS: dict[str, Handler] = {
    "chat.send": send,
    "chat.history": history,
    "chat.message": message,
    "chat.conversations": conversations,
    "chat.read": read,
}
