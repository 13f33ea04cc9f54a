"""`contacts.*`: other people."""

from typing import Literal

import msgspec

from kezd.api.types.base import Mutation, Params, Result


class Alarm(Result, frozen=True, kw_only=True):
    """Why sending to a contact stopped."""

    kind: Literal["key_changed", "fork", "rollback", "chain_invalid"]
    since: int
    detail: str
    new_primary: str | None = None
    """After `key_changed`: the key that has the handle now. `contacts.decide` wants it back."""
    new_safety_words: list[str] = msgspec.field(default_factory=list)
    """Safety words for `new_primary`, to be compared before it is trusted."""


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
    verified_at: int | None = None
    """When the person said that both see these safety words; null once the key is another one."""
    reverify: bool = False
    """Safety words were compared once, with a key that is not the one above, or an alarm stands."""


class ContactAddParams(Mutation, frozen=True, kw_only=True):
    """Resolve a handle, verify registration and chain, and trust the key found first."""

    handle: str
    """A handle, or a contact URI `kez:alice@kez.lat?key=ed25519:…`, whose key has to be the one found."""


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
    expected_primary: str | None = None
    """The alarm's `new_primary` as the person saw it; `trust_new` after `key_changed` needs it."""


class ContactVerifyParams(Mutation, frozen=True, kw_only=True):
    """What the person found when they compared safety words with a contact."""

    contact: str
    safety_words: list[str]
    """The twelve words that were shown; refused when they are not those of the contact's key of now."""
    match: bool = True
    """Whether the other side saw the same words; false takes an earlier yes back."""


class ContactsResult(Result, frozen=True, kw_only=True):
    """Contacts, by handle."""

    items: list[Contact]
    next_cursor: str | None = None
