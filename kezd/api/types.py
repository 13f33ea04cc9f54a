"""Shapes of the RPC's parameters and results (msgspec structs), one for each object a client sees.

Parameters refuse unknown members, results may grow members that clients ignore. Times
are Unix milliseconds, ids are strings, handles are qualified (`alice@kez.lat`).
"""

from typing import Any, Literal

import msgspec


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of all parameters: named, unknown members refused by name."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all results: always an object."""


class Empty(Params, frozen=True, kw_only=True):
    """A method without parameters."""


class Mutation(Params, frozen=True, kw_only=True):
    """Base of parameters that change something."""

    idempotency_key: str | None = None
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: bool = False
    """Check everything, change nothing."""


# --- session ---------------------------------------------------------------


class ClientInfo(Params, frozen=True, kw_only=True):
    """Who calls."""

    name: str
    version: str = ""


class ApiRange(Params, frozen=True, kw_only=True):
    """Versions of this API that the client can speak."""

    min: int = 1
    max: int = 1


class InitializeParams(Params, frozen=True, kw_only=True):
    """The first call of a connection."""

    client: ClientInfo
    api: ApiRange = ApiRange()
    profile: str = "default"


class Limits(Result, frozen=True, kw_only=True):
    """What the peer accepts."""

    line_bytes: int
    batch: int
    calls_in_flight: int
    connections: int
    page: int


class InitializeResult(Result, frozen=True, kw_only=True):
    """What the connection is from now on."""

    api: int
    daemon_version: str
    instance_id: str
    """New at each start of the daemon."""
    epoch: str | None
    """The event log's; None while the profile is empty or locked."""
    profile: str
    scope: str
    state: str
    """`empty`, `locked`, or `open`."""
    limits: Limits
    capabilities: list[str]


class UnlockParams(Params, frozen=True, kw_only=True):
    """Open the vault."""

    passphrase: str | None = None


class StateResult(Result, frozen=True, kw_only=True):
    """State of the profile."""

    state: str


# --- daemon ----------------------------------------------------------------


class VersionResult(Result, frozen=True, kw_only=True):
    """Versions."""

    version: str
    api: int
    python: str


class LinkHealth(Result, frozen=True, kw_only=True):
    """One link: `home`, `nats`, `store`."""

    name: str
    state: str
    since: int | None = None
    last_received_age_ms: int | None = None
    queue: int = 0
    last_error: str | None = None


class HealthResult(Result, frozen=True, kw_only=True):
    """How the peer is."""

    state: str
    links: list[LinkHealth]
    pid: int
    uptime_ms: int
    dropped: dict[str, int]
    """Hostile or broken input dropped since the database began, by cause."""


class Check(Result, frozen=True, kw_only=True):
    """One check of `kez doctor`."""

    name: str
    ok: bool
    found: str
    fix: str = ""


class DoctorResult(Result, frozen=True, kw_only=True):
    """All checks."""

    checks: list[Check]


# --- identity --------------------------------------------------------------


class IdentityCreateParams(Mutation, frozen=True, kw_only=True):
    """Make a key and its recovery words. Nothing is registered yet."""

    words: Literal[12, 24] = 24
    passphrase: str | None = None
    """For a new vault on a machine without a keyring."""


class IdentityCreateResult(Result, frozen=True, kw_only=True):
    """The words, to be written on paper; the same again until they are confirmed."""

    primary: str
    words: list[str]
    ask: list[int]
    """1-based positions of the words that `identity.confirm` wants."""


class IdentityConfirmParams(Mutation, frozen=True, kw_only=True):
    """The words at the positions asked for, keyed by position as text."""

    answers: dict[str, str]


class IdentityRegisterParams(Mutation, frozen=True, kw_only=True):
    """Bind a handle to the confirmed key on the home server, then publish the sigchain."""

    handle: str
    home_url: str | None = None
    """Overrides the configuration's `home.url` for this identity from now on."""


class IdentityRestoreParams(Mutation, frozen=True, kw_only=True):
    """Bring an identity back from its words on an empty profile (or take over again)."""

    words: str | None = None
    """12 or 24 words; None on a superseded installation that takes over again."""
    passphrase: str | None = None
    home_url: str | None = None


class IdentityResult(Result, frozen=True, kw_only=True):
    """The identity of this profile."""

    state: Literal["none", "unconfirmed", "unregistered", "active", "superseded"]
    primary: str | None = None
    handle: str | None = None
    home_url: str | None = None
    nkey: str | None = None
    chain_seq: int | None = None
    chain_head: str | None = None
    registered_at: int | None = None
    reason: str | None = None
    """Why it is superseded."""


class IdentityWordsParams(Params, frozen=True, kw_only=True):
    """Show the words again, after a fresh unlock."""

    passphrase: str | None = None


class WordsResult(Result, frozen=True, kw_only=True):
    """The recovery words."""

    words: list[str]


# --- contacts --------------------------------------------------------------


class Alarm(Result, frozen=True, kw_only=True):
    """Why sending to a contact stopped."""

    kind: Literal["key_changed", "fork", "rollback", "chain_invalid"]
    since: int
    detail: str
    new_primary: str | None = None


class Contact(Result, frozen=True, kw_only=True):
    """Somebody. `genesis` is the primary their chain began with, and their id everywhere."""

    genesis: str
    primary: str
    handle: str | None
    state: Literal["request", "accepted", "blocked"]
    added_at: int
    checked_at: int | None
    chain_seq: int
    safety_words: list[str]
    alarm: Alarm | None = None


class ContactAddParams(Mutation, frozen=True, kw_only=True):
    """Resolve a handle, verify registration and chain, and trust the key found first."""

    handle: str


class ContactRef(Params, frozen=True, kw_only=True):
    """Names a contact by handle or by primary."""

    contact: str


class ContactRefMutation(Mutation, frozen=True, kw_only=True):
    """Names a contact to be changed."""

    contact: str


class ContactDecideParams(Mutation, frozen=True, kw_only=True):
    """The person's answer to an alarm."""

    contact: str
    decision: Literal["trust_new", "keep_old"]


class PageParams(Params, frozen=True, kw_only=True):
    """One page of a list."""

    limit: int = 50
    cursor: str | None = None


class ContactsResult(Result, frozen=True, kw_only=True):
    """Contacts, by handle."""

    items: list[Contact]
    next_cursor: str | None = None


# --- chat ------------------------------------------------------------------

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
    """Slug of why it failed, or why it still waits."""
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
    text: str


class SendResult(Result, frozen=True, kw_only=True):
    """The message as queued (`message.id` is its id for good)."""

    message: Message


class HistoryParams(Params, frozen=True, kw_only=True):
    """Messages of one conversation, newest page first, in order within the page."""

    contact: str
    limit: int = 50
    cursor: str | None = None


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


# --- events ----------------------------------------------------------------


class Since(Params, frozen=True, kw_only=True):
    """A place in the event log."""

    epoch: str
    seq: int


class SubscribeParams(Params, frozen=True, kw_only=True):
    """Listen. With `since`: replay what came after it, then go live."""

    topics: list[str]
    since: Since | None = None


class SubscribeResult(Result, frozen=True, kw_only=True):
    """The subscription and where the log stands; live events have a greater seq."""

    subscription: str
    epoch: str
    seq: int
    replayed_from: int | None = None


class SubscriptionRef(Params, frozen=True, kw_only=True):
    """Names a subscription of this connection."""

    subscription: str


class Done(Result, frozen=True, kw_only=True):
    """Nothing more to say."""

    ok: bool = True


class Document(Result, frozen=True, kw_only=True):
    """The OpenRPC document."""

    document: dict[str, Any]
