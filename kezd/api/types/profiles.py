"""`profiles.*`: the identities that one daemon keeps side by side."""

from kezd.api.types.base import Mutation, Result


class ProfileItem(Result, frozen=True, kw_only=True):
    """One profile."""

    name: str
    state: str
    """`empty`, `locked`, or `open`."""
    identity: str | None = None
    """State of the identity, when the profile is open."""
    handle: str | None = None
    primary: str | None = None
    link: str | None = None
    """State of the link to the home's broker, when the profile is open."""
    trouble: str | None = None
    """Slug of why it is locked."""


class ProfilesResult(Result, frozen=True, kw_only=True):
    """All of them, by name."""

    items: list[ProfileItem]


class ProfileCreateParams(Mutation, frozen=True, kw_only=True):
    """A new, empty profile."""

    name: str
    """1 to 32 of `a-z 0-9 _ -`, beginning with a letter or digit."""


class ProfileRemoveParams(Mutation, frozen=True, kw_only=True):
    """A profile to be deleted with everything in it: keys, messages, contacts."""

    name: str
    force: bool = False
    """Also an identity that is live here, and also the last profile."""
