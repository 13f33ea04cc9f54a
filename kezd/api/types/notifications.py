"""What the peer says unasked: bodies of events, topic by topic, and of the other notifications.

Shapes only; which topic has which body, and what lasts, says `kezd.api.notifications`.
Bodies are results: they may grow members, and their enumerations values.
"""

from typing import Any, Literal

from kezd.api.types.base import ProgressToken, Result
from kezd.api.types.chat import Conversation, Message
from kezd.api.types.contacts import Contact
from kezd.api.types.daemon import LinkHealth
from kezd.api.types.identity import IdentityResult
from kezd.api.types.session import SaidState


class MessageEvent(Result, frozen=True, kw_only=True):
    """A message came, was queued, or changed."""

    type: Literal["received", "sent", "state", "missing_filled", "request", "seen"]
    """`request`: a stranger's, whose text is null until the request is accepted; then come `state`s.
    `seen`: what a contact wrote was marked as seen, one event for many messages; it has no `message`."""
    message: Message | None = None
    """Of every type but `seen`."""
    notify: bool = False
    """Whether a person should be told: true for what is `received` and not dated before a restore."""
    contact: str | None = None
    """Of `seen`: genesis primary of who wrote."""
    up_to: int | None = None
    """Of `seen`: each incoming message with this position or a smaller one is `seen` now."""
    marked: int | None = None
    """Of `seen`: how many became it."""


class ConversationEvent(Result, frozen=True, kw_only=True):
    """A conversation changed: what a list of conversations shows, so that nobody has to fetch it again."""

    type: Literal["changed"]
    conversation: Conversation
    unread: int
    """Unread messages of all conversations, as in a snapshot."""


class ContactEvent(Result, frozen=True, kw_only=True):
    """A contact came or changed."""

    type: Literal["added", "changed", "request", "alarm", "decided"]
    contact: Contact


class IdentityEvent(Result, frozen=True, kw_only=True):
    """The identity of this profile changed."""

    type: Literal[
        "created", "registered", "restored", "superseded", "resumed", "chain", "rotated", "chain_alarm"
    ]
    identity: IdentityResult


class LinkEvent(Result, frozen=True, kw_only=True):
    """A link changed its state."""

    link: LinkHealth


class EventNotice(Result, frozen=True, kw_only=True):
    """One event of a subscription."""

    subscription: str
    epoch: str
    """Names the log: a cursor is `{epoch, seq}`."""
    seq: int
    """Place in the log, growing; 0 for an ephemeral event."""
    topic: str
    event: dict[str, Any]
    """The body of the topic's events."""


class LaggedNotice(Result, frozen=True, kw_only=True):
    """A subscription ended because its reader was too slow; nothing is lost, subscribe again from `last_seq`."""

    subscription: str
    epoch: str
    last_seq: int


class StoppingNotice(Result, frozen=True, kw_only=True):
    """The daemon stops: running calls are still answered, new ones are not read."""


class SessionChangedNotice(Result, frozen=True, kw_only=True):
    """The profile of this connection has another state now."""

    profile: str
    state: SaidState
    """`removed`: there is nothing more to ask on this connection."""


class ProgressValue(Result, frozen=True, kw_only=True):
    """How far a call is. At most ten a second, the last one always."""

    done: int
    total: int | None
    """None while nobody knows."""
    unit: str
    """Of both numbers: `bytes`, `messages`, …; may be empty."""
    text: str = ""
    """What is being done, for people."""


class ProgressNotice(Result, frozen=True, kw_only=True):
    """How far the call with this `progress_token` is."""

    token: ProgressToken
    value: ProgressValue


class DeprecatedNotice(Result, frozen=True, kw_only=True):
    """A method was called that will go; said once for each method on a connection, before the answer."""

    method: str
    instead: str
