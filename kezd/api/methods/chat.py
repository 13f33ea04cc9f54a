"""Rows of `chat.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Example, Method, Scope
from kezd.errors import Slug

_CHAT_ERRORS = (Slug.NO_IDENTITY, Slug.LOCKED, Slug.NOT_A_CONTACT)

_SENT = Example(
    "Queue a text once, however often it is asked",
    {"to": "@bob@kez.lat", "text": "hi", "idempotency_key": "5ad4c1e7"},
    {
        "message": {
            "id": "9f86d081884c7d659a2feaa0c55ad015",
            "contact": "ed25519:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
            "handle": "bob@kez.lat",
            "direction": "out",
            "kind": "text",
            "text": "hi",
            "sent_at": 1790000000000,
            "arrived_at": 1790000000000,
            "state": "queued",
            "position": 7,
        }
    },
)

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
        examples=(_SENT,),
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
