"""The table of notifications and of topics: what the peer says unasked, and in which shape.

Beside the table of methods, and made into documentation and clients the same way. Pure.
Invariant: each `Topic` has exactly one row.
"""

from dataclasses import dataclass

from kezd.api import types as t
from kezd.api.events import ENDED, EPHEMERAL, EVENT, LAGGED, SESSION_CHANGED, STOPPING, Topic
from kezd.api.methods.row import Scope

DEPRECATED = "rpc.deprecated"
PROGRESS = "$/progress"
CONFIRMATION = "confirmation.needed"


@dataclass(frozen=True, slots=True)
class TopicRow:
    """What the events of a topic hold."""

    topic: Topic
    body: type[t.Result]
    doc: str
    scope: Scope = Scope.READ
    """Who may listen."""

    @property
    def durable(self) -> bool:
        """In the log, replayed and never left out; otherwise only the latest value matters."""
        return self.topic not in EPHEMERAL


@dataclass(frozen=True, slots=True)
class Notification:
    """A message without an answer."""

    name: str
    params: type[t.Result]
    doc: str


TOPICS: tuple[TopicRow, ...] = (
    TopicRow(
        Topic.MESSAGE, t.MessageEvent, "Messages: received, sent, seen, and each change of their state."
    ),
    TopicRow(
        Topic.CONVERSATION,
        t.ConversationEvent,
        "Conversations as they are now: unread counts, the last message, what is missing.",
    ),
    TopicRow(Topic.CONTACT, t.ContactEvent, "Contacts, requests of strangers, and alarms about keys."),
    TopicRow(Topic.IDENTITY, t.IdentityEvent, "The profile's own identity."),
    TopicRow(
        Topic.CLAIM, t.ClaimEvent, "Proofs that are seen, change or vanish, and snapshots that hold no more."
    ),
    TopicRow(
        Topic.CONFIRMATION, t.ConfirmationEvent, "Calls that wait for a person's yes.", scope=Scope.FULL
    ),
    TopicRow(Topic.LINK, t.LinkEvent, "Links to the network, as their state changes."),
)

NOTIFICATIONS: tuple[Notification, ...] = (
    Notification(EVENT, t.EventNotice, "An event of a subscription."),
    Notification(LAGGED, t.LaggedNotice, "A subscription has ended: its reader was too slow."),
    Notification(ENDED, t.EndedNotice, "A subscription has ended: complete, taken over, or forgotten."),
    Notification(
        SESSION_CHANGED,
        t.SessionChangedNotice,
        "The profile of this connection was opened, locked, or removed. Sent without a subscription.",
    ),
    Notification(STOPPING, t.StoppingNotice, "The daemon stops."),
    Notification(CONFIRMATION, t.ConfirmationNotice, "A call of this connection waits for a person's yes."),
    Notification(PROGRESS, t.ProgressNotice, "How far a call with a `progress_token` is."),
    Notification(DEPRECATED, t.DeprecatedNotice, "A method was called that is deprecated."),
)
