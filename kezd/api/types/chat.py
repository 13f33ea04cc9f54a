"""`chat.*`: messages and conversations."""

from typing import Literal

from kezd.api.types.base import Descriptor, Mutation, Params, Result

MessageState = Literal["queued", "accepted", "delivered", "read", "failed", "received", "seen"]


class Message(Result, frozen=True, kw_only=True):
    """One message of a conversation."""

    id: str
    """128-bit random, lower-case hex; the same on both sides."""
    contact: str
    """Genesis primary of the other side."""
    handle: str | None
    direction: Literal["in", "out"]
    kind: str
    text: str | None
    sent_at: int
    arrived_at: int
    state: MessageState
    """Outgoing: queued → accepted → delivered → read, or failed. Incoming: received → seen."""
    cause: str | None = None
    """Why it failed, or why it still waits: a name of the table of causes."""
    position: int = 0
    """Order inside the conversation, growing."""
    request: bool = False
    future_dated: bool = False
    older: bool = False
    """Dated before this installation was restored: shown, never notified."""
    needs_newer_version: bool = False
    missing_before: int = 0
    """Messages of the same stream that have not arrived and come before this one."""


class SendParams(Mutation, frozen=True, kw_only=True):
    """Send text. Returns once it is stored and queued; events tell the rest."""

    to: str
    text: str | None = None
    """At most 32 KiB of UTF-8; this or `text_from`."""
    text_from: Descriptor | None = None
    """A file or pipe with the text, read to its end."""


class SendResult(Result, frozen=True, kw_only=True):
    """The message as queued (`message.id` is its id for good)."""

    message: Message


class HistoryParams(Params, frozen=True, kw_only=True):
    """Messages of one conversation, newest page first, in order within the page; or onward from a place."""

    contact: str
    limit: int = 50
    cursor: str | None = None
    after: int | None = None
    """Only messages with a greater `position` than this, oldest page first; 0 for all of them.
    Pages go on with `cursor` beside the same `after`."""


class MessagesResult(Result, frozen=True, kw_only=True):
    """A page of messages."""

    items: list[Message]
    next_cursor: str | None = None


class MessageRef(Params, frozen=True, kw_only=True):
    """Names a message."""

    id: str


class MessageResult(Result, frozen=True, kw_only=True):
    """A message."""

    message: Message


class ReadParams(Mutation, frozen=True, kw_only=True):
    """Mark what has arrived as seen (all, or up to a position); sends read receipts if chosen."""

    contact: str
    up_to: int | None = None


class ReadResult(Result, frozen=True, kw_only=True):
    """How many messages became seen."""

    marked: int


class Conversation(Result, frozen=True, kw_only=True):
    """One thread."""

    contact: str
    handle: str | None
    state: Literal["request", "accepted", "blocked"]
    unread: int
    last: Message | None
    missing: int
    """Messages known to exist that have not arrived."""


class ConversationsResult(Result, frozen=True, kw_only=True):
    """Threads, latest first."""

    items: list[Conversation]
    next_cursor: str | None = None
