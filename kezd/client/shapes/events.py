"""Shapes of `events`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict

from kezd.client.shapes.chat import ConversationsResult
from kezd.client.shapes.daemon import LinkHealth
from kezd.client.shapes.identity import IdentityResult


class AckParams(TypedDict):
    """A consumer is done with every event up to `seq`. Saying it twice, or late, changes nothing."""

    consumer: str
    seq: int


class AckResult(TypedDict):
    """Where the consumer stands, durably."""

    consumer: str
    acked: int


class Consumer(TypedDict):
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


class ConsumerRef(TypedDict):
    """Names a consumer to be forgotten."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    consumer: str


class ConsumersResult(TypedDict):
    """All consumers, by name; there are at most 64."""

    items: list[Consumer]


class ContactCounts(TypedDict):
    """How many contacts there are."""

    accepted: int
    requests: int
    blocked: int
    alarms: int
    """Contacts at whom an alarm stands."""


class EndedNotice(TypedDict):
    """A subscription has ended, and not because its reader was slow."""

    subscription: str
    epoch: str
    last_seq: int
    """Of the last event that was sent, or passed over as of another topic."""
    reason: Literal["closed", "complete", "forgotten", "taken_over"]
    """`complete`: `follow` was false. `taken_over`: another subscription has the consumer's name now. `closed`: the profile was locked or removed."""


class Since(TypedDict):
    """A place in the event log."""

    epoch: str
    seq: int


class Snapshot(TypedDict):
    """The state at one place in the log: with the events after it, nothing is missed and nothing counted twice."""

    identity: IdentityResult
    conversations: ConversationsResult
    """The first page, latest first, with unread counts."""
    unread: int
    """Unread messages of all conversations."""
    contacts: ContactCounts
    links: list[LinkHealth]
    """As they are now: links are not in the log."""


class SubscribeParams(TypedDict):
    """Listen. With `since`: replay what came after it, then go live."""

    topics: list[str]
    since: NotRequired[Since | None]
    consumer: NotRequired[str | None]
    """A name of 1 to 64 characters of A-Z a-z 0-9 . _ - under which `events.ack` is remembered. A new one begins at `since`, at the snapshot, or now; a known one after what it acknowledged, unless `since` or `snapshot` says otherwise. Whoever had the name loses its subscription."""
    snapshot: NotRequired[bool]
    """Give what a front-end draws first, as it was at `seq`; the events go on from there. Not with `since`."""
    follow: NotRequired[bool]
    """False: end after what the log has now, with `events.ended`."""


class SubscribeResult(TypedDict):
    """The subscription and where the log stands; live events have a greater seq."""

    subscription: str
    epoch: str
    seq: int
    replayed_from: NotRequired[int | None]
    """Seq from which on events of the topics are sent again; null when it begins live."""
    first_seq: NotRequired[int | None]
    """Seq of the oldest event that is kept; null before the first one."""
    acked: NotRequired[int | None]
    """Of a consumer: what it is done with."""
    snapshot: NotRequired[Snapshot | None]


class SubscriptionRef(TypedDict):
    """Names a subscription of this connection."""

    subscription: str
