"""Shapes of `profiles`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict


class ProfileCreateParams(TypedDict):
    """A new, empty profile."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    name: str
    """1 to 32 of `a-z 0-9 _ -`, beginning with a letter or digit."""


class ProfileItem(TypedDict):
    """One profile."""

    name: str
    state: str
    """`empty`, `locked`, or `open`."""
    identity: NotRequired[str | None]
    """State of the identity, when the profile is open."""
    handle: NotRequired[str | None]
    primary: NotRequired[str | None]
    link: NotRequired[str | None]
    """State of the link to the home's broker, when the profile is open."""
    trouble: NotRequired[str | None]
    """Slug of why it is locked."""


class ProfileRemoveParams(TypedDict):
    """A profile to be deleted with everything in it: keys, messages, contacts."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    name: str
    force: NotRequired[bool]
    """Also an identity that is live here, and also the last profile."""


class ProfilesResult(TypedDict):
    """All of them, by name."""

    items: list[ProfileItem]
