"""`events.*`: listening."""

from typing import Literal

from kezd.api.types.base import Mutation, Params, Result
from kezd.api.types.chat import ConversationsResult
from kezd.api.types.daemon import LinkHealth
from kezd.api.types.identity import IdentityResult

EndReason = Literal["complete", "taken_over", "forgotten", "closed"]
"""`complete`: `follow` was false. `taken_over`: another subscription has the consumer's name now. `closed`: the
profile was locked or removed."""


class Since(Params, frozen=True, kw_only=True):
    """A place in the event log."""

    epoch: str
    seq: int


class SubscribeParams(Params, frozen=True, kw_only=True):
    """Listen. With `since`: replay what came after it, then go live."""

    topics: list[str]
    since: Since | None = None
    consumer: str | None = None
    """A name of 1 to 64 characters of A-Z a-z 0-9 . _ - under which `events.ack` is remembered.

    A new one begins at `since`, at the snapshot, or now; a known one after what it acknowledged,
    unless `since` or `snapshot` says otherwise. Whoever had the name loses its subscription.
    """
    snapshot: bool = False
    """Give what a front-end draws first, as it was at `seq`; the events go on from there. Not with `since`."""
    follow: bool = True
    """False: end after what the log has now, with `events.ended`."""


class ContactCounts(Result, frozen=True, kw_only=True):
    """How many contacts there are."""

    accepted: int
    requests: int
    blocked: int
    alarms: int
    """Contacts at whom an alarm stands."""


class Snapshot(Result, frozen=True, kw_only=True):
    """The state at one place in the log: with the events after it, nothing is missed and nothing counted twice."""

    identity: IdentityResult
    conversations: ConversationsResult
    """The first page, latest first, with unread counts."""
    unread: int
    """Unread messages of all conversations."""
    contacts: ContactCounts
    links: list[LinkHealth]
    """As they are now: links are not in the log."""


class SubscribeResult(Result, frozen=True, kw_only=True):
    """The subscription and where the log stands; live events have a greater seq."""

    subscription: str
    epoch: str
    seq: int
    replayed_from: int | None = None
    """Seq from which on events of the topics are sent again; null when it begins live."""
    first_seq: int | None = None
    """Seq of the oldest event that is kept; null before the first one."""
    acked: int | None = None
    """Of a consumer: what it is done with."""
    snapshot: Snapshot | None = None


class SubscriptionRef(Params, frozen=True, kw_only=True):
    """Names a subscription of this connection."""

    subscription: str


class AckParams(Params, frozen=True, kw_only=True):
    """A consumer is done with every event up to `seq`. Saying it twice, or late, changes nothing."""

    consumer: str
    seq: int


class AckResult(Result, frozen=True, kw_only=True):
    """Where the consumer stands, durably."""

    consumer: str
    acked: int


class Consumer(Result, frozen=True, kw_only=True):
    """A named place in the event log."""

    name: str
    topics: list[str]
    acked: int
    lag: int
    """Events of its topics that it has not acknowledged."""
    lost: bool
    """Events that it has not acknowledged are gone: `[events] keep_days` or `keep_mb` was reached."""
    connected: bool
    created_at: int
    last_seen: int
    """When it was connected last, or acknowledged something."""


class ConsumersResult(Result, frozen=True, kw_only=True):
    """All consumers, by name; there are at most 64."""

    items: list[Consumer]


class ConsumerRef(Mutation, frozen=True, kw_only=True):
    """Names a consumer to be forgotten."""

    consumer: str


class EndedNotice(Result, frozen=True, kw_only=True):
    """A subscription has ended, and not because its reader was slow."""

    subscription: str
    epoch: str
    last_seq: int
    """Of the last event that was sent, or passed over as of another topic."""
    reason: EndReason
    """`complete`: `follow` was false. `taken_over`: another subscription has the consumer's name now.
    `closed`: the profile was locked or removed."""
