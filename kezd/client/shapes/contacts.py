"""Shapes of `contacts`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class Alarm(TypedDict):
    """Why sending to a contact stopped."""

    kind: Literal["chain_invalid", "fork", "key_changed", "rollback"]
    since: int
    detail: str
    new_primary: NotRequired[str | None]
    """After `key_changed`: the key that has the handle now. `contacts.decide` wants it back."""
    new_safety_words: NotRequired[list[str]]
    """Safety words for `new_primary`, to be compared before it is trusted."""


class Contact(TypedDict):
    """Somebody. `genesis` is the primary their chain began with, and their id everywhere."""

    genesis: str
    primary: str
    handle: str | None
    state: Literal["accepted", "blocked", "request"]
    added_at: int
    checked_at: int | None
    chain_seq: int
    safety_words: list[str]
    alarm: NotRequired[Alarm | None]
    verified_at: NotRequired[int | None]
    """When the person said that both see these safety words; null once the key is another one."""
    reverify: NotRequired[bool]
    """Safety words were compared once, with a key that is not the one above, or an alarm stands."""


class ContactAddParams(TypedDict):
    """Resolve a handle, verify registration and chain, and trust the key found first."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    handle: str
    """A handle, or a contact URI `kez:alice@kez.lat?key=ed25519:…`, whose key has to be the one found."""


class ContactDecideParams(TypedDict):
    """The person's answer to an alarm."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    contact: str
    decision: Literal["keep_old", "trust_new"]
    expected_primary: NotRequired[str | None]
    """The alarm's `new_primary` as the person saw it; `trust_new` after `key_changed` needs it."""


class ContactRef(TypedDict):
    """Names a contact by handle or by primary."""

    contact: str


class ContactRefMutation(TypedDict):
    """Names a contact to be changed."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    contact: str


class ContactVerifyParams(TypedDict):
    """What the person found when they compared safety words with a contact."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    contact: str
    safety_words: list[str]
    """The twelve words that were shown; refused when they are not those of the contact's key of now."""
    match: NotRequired[bool]
    """Whether the other side saw the same words; false takes an earlier yes back."""


class ContactsResult(TypedDict):
    """Contacts, by handle."""

    items: list[Contact]
    next_cursor: NotRequired[str | None]
