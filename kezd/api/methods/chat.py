"""Rows of `chat.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

_CHAT_ERRORS = (Slug.NO_IDENTITY, Slug.LOCKED, Slug.NOT_A_CONTACT)

METHODS = (
    Method(
        "chat.send",
        t.SendParams,
        t.SendResult,
        Scope.CHAT,
        "Queue a text message.",
        (
            *_CHAT_ERRORS,
            Slug.KEY_CHANGED,
            Slug.CHAIN_FORK,
            Slug.CHAIN_ROLLBACK,
            Slug.REQUEST_PENDING,
            Slug.BLOCKED,
            Slug.TOO_LARGE,
            Slug.NO_COMMON_VERSION,
        ),
        dry_run=True,
    ),
    Method(
        "chat.history",
        t.HistoryParams,
        t.MessagesResult,
        Scope.READ,
        "A page of a conversation.",
        _CHAT_ERRORS,
    ),
    Method(
        "chat.message", t.MessageRef, t.MessageResult, Scope.READ, "One message by id.", (Slug.NOT_FOUND,)
    ),
    Method(
        "chat.conversations", t.PageParams, t.ConversationsResult, Scope.READ, "Threads with unread counts."
    ),
    Method(
        "chat.read",
        t.ReadParams,
        t.ReadResult,
        Scope.CHAT,
        "Mark messages as seen.",
        _CHAT_ERRORS,
        dry_run=True,
    ),
)
