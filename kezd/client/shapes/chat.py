"""Shapes of `chat`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict

from kezd.client.shapes.base import Descriptor


class Message(TypedDict):
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
    state: Literal["accepted", "delivered", "failed", "queued", "read", "received", "seen"]
    """Outgoing: queued → accepted → delivered → read, or failed. Incoming: received → seen."""
    cause: NotRequired[str | None]
    """Why it failed, or why it still waits: a name of the table of causes."""
    position: NotRequired[int]
    """Order inside the conversation, growing."""
    request: NotRequired[bool]
    future_dated: NotRequired[bool]
    older: NotRequired[bool]
    """Dated before this installation was restored: shown, never notified."""
    needs_newer_version: NotRequired[bool]
    missing_before: NotRequired[int]
    """Messages of the same stream that have not arrived and come before this one."""


class Conversation(TypedDict):
    """One thread."""

    contact: str
    handle: str | None
    state: Literal["accepted", "blocked", "request"]
    unread: int
    last: Message | None
    missing: int
    """Messages known to exist that have not arrived."""


class ConversationsResult(TypedDict):
    """Threads, latest first."""

    items: list[Conversation]
    next_cursor: NotRequired[str | None]


class HistoryParams(TypedDict):
    """Messages of one conversation, newest page first, in order within the page; or onward from a place."""

    contact: str
    limit: NotRequired[int]
    cursor: NotRequired[str | None]
    after: NotRequired[int | None]
    """Only messages with a greater `position` than this, oldest page first; 0 for all of them. Pages go on with `cursor` beside the same `after`."""


class MessageRef(TypedDict):
    """Names a message."""

    id: str


class MessageResult(TypedDict):
    """A message."""

    message: Message


class MessagesResult(TypedDict):
    """A page of messages."""

    items: list[Message]
    next_cursor: NotRequired[str | None]


class ReadParams(TypedDict):
    """Mark what has arrived as seen (all, or up to a position); sends read receipts if chosen."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    contact: str
    up_to: NotRequired[int | None]


class ReadResult(TypedDict):
    """How many messages became seen."""

    marked: int


class SendParams(TypedDict):
    """Send text. Returns once it is stored and queued; events tell the rest."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    to: str
    text: NotRequired[str | None]
    """At most 32 KiB of UTF-8; this or `text_from`."""
    text_from: NotRequired[Descriptor | None]
    """A file or pipe with the text, read to its end."""


class SendResult(TypedDict):
    """The message as queued (`message.id` is its id for good)."""

    message: Message
