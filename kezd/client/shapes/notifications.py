"""Shapes of `notifications`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Any, Literal, NotRequired, TypedDict

from kezd.client.shapes.chat import Conversation, Message
from kezd.client.shapes.contacts import Contact
from kezd.client.shapes.daemon import LinkHealth
from kezd.client.shapes.identity import IdentityResult


class ContactEvent(TypedDict):
    """A contact came or changed."""

    type: Literal["added", "alarm", "changed", "decided", "request"]
    contact: Contact


class ConversationEvent(TypedDict):
    """A conversation changed: what a list of conversations shows, so that nobody has to fetch it again."""

    type: Literal["changed"]
    conversation: Conversation
    unread: int
    """Unread messages of all conversations, as in a snapshot."""


class DeprecatedNotice(TypedDict):
    """A method was called that will go; said once for each method on a connection, before the answer."""

    method: str
    instead: str


class EventNotice(TypedDict):
    """One event of a subscription."""

    subscription: str
    epoch: str
    """Names the log: a cursor is `{epoch, seq}`."""
    seq: int
    """Place in the log, growing; 0 for an ephemeral event."""
    topic: str
    event: dict[str, Any]
    """The body of the topic's events."""


class IdentityEvent(TypedDict):
    """The identity of this profile changed."""

    type: Literal[
        "chain", "chain_alarm", "created", "registered", "restored", "resumed", "rotated", "superseded"
    ]
    identity: IdentityResult


class LaggedNotice(TypedDict):
    """A subscription ended because its reader was too slow; nothing is lost, subscribe again from `last_seq`."""

    subscription: str
    epoch: str
    last_seq: int


class LinkEvent(TypedDict):
    """A link changed its state."""

    link: LinkHealth


class MessageEvent(TypedDict):
    """A message came, was queued, or changed."""

    type: Literal["missing_filled", "received", "request", "seen", "sent", "state"]
    """`request`: a stranger's, whose text is null until the request is accepted; then come `state`s. `seen`: what a contact wrote was marked as seen, one event for many messages; it has no `message`."""
    message: NotRequired[Message | None]
    """Of every type but `seen`."""
    notify: NotRequired[bool]
    """Whether a person should be told: true for what is `received` and not dated before a restore."""
    contact: NotRequired[str | None]
    """Of `seen`: genesis primary of who wrote."""
    up_to: NotRequired[int | None]
    """Of `seen`: each incoming message with this position or a smaller one is `seen` now."""
    marked: NotRequired[int | None]
    """Of `seen`: how many became it."""


class ProgressValue(TypedDict):
    """How far a call is. At most ten a second, the last one always."""

    done: int
    total: int | None
    """None while nobody knows."""
    unit: str
    """Of both numbers: `bytes`, `messages`, …; may be empty."""
    text: NotRequired[str]
    """What is being done, for people."""


class ProgressNotice(TypedDict):
    """How far the call with this `progress_token` is."""

    token: str | int
    value: ProgressValue


class SessionChangedNotice(TypedDict):
    """The profile of this connection has another state now."""

    profile: str
    state: Literal["empty", "locked", "open", "removed"]
    """`removed`: there is nothing more to ask on this connection."""
