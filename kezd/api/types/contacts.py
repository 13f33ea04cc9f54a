"""`contacts.*`: other people."""

from typing import Literal

from kezd.api.types.base import Mutation, Params, Result


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


class ContactsResult(Result, frozen=True, kw_only=True):
    """Contacts, by handle."""

    items: list[Contact]
    next_cursor: str | None = None
