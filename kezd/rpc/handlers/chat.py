"""`chat.*`."""

import msgspec

from kezd.api import types as t
from kezd.errors import RequestError, Slug
from kezd.rpc.descriptor_text import read_text
from kezd.rpc.dispatch import Handler, make_once
from kezd.rpc.session import Session

TEXT_BYTES = 32 * 1024


async def send(session: Session, params: t.SendParams) -> t.SendResult:
    """Queue a text; the effect and the idempotency key are one transaction."""
    text = params.text
    if (text is None) == (params.text_from is None):
        raise RequestError(Slug.INVALID_ARGUMENT, "either `text` or `text_from`", detail={"field": "text"})
    if params.text_from is not None:
        text = await read_text(session.take_descriptor(params.text_from.fd), TEXT_BYTES, "text_from")
        params = msgspec.structs.replace(params, text=text, text_from=None)  # what the key stands for
    assert text is not None, "one of the two"
    once = make_once(session, "chat.send", params)
    entry = session.entry("chat.send")
    return await session.profile.chat.send(params.to, text, once, dry_run=params.dry_run, audit=entry)


async def history(session: Session, params: t.HistoryParams) -> t.MessagesResult:
    """A page of a conversation."""
    limit = session.page(params.limit)
    return await session.profile.chat.history(params.contact, limit, params.cursor, params.after)


async def message(session: Session, params: t.MessageRef) -> t.MessageResult:
    """One message."""
    return await session.profile.chat.message(params.id)


async def conversations(session: Session, params: t.PageParams) -> t.ConversationsResult:
    """A page of threads."""
    return await session.profile.chat.conversations(session.page(params.limit), params.cursor)


async def read(session: Session, params: t.ReadParams) -> t.ReadResult:
    """Mark as seen."""
    once = make_once(session, "chat.read", params)
    entry = session.entry("chat.read")
    return await session.profile.chat.read(
        params.contact, params.up_to, once, dry_run=params.dry_run, audit=entry
    )


HANDLERS: dict[str, Handler] = {
    "chat.send": send,
    "chat.history": history,
    "chat.message": message,
    "chat.conversations": conversations,
    "chat.read": read,
}
