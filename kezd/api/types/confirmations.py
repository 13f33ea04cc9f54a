"""`confirmations.*`: calls that wait for a person's yes."""

from typing import Literal

from kezd.api.types.base import Params, Result


class Confirmation(Result, frozen=True, kw_only=True):
    """A call that waits. All but `pid`, `executable` and times is foreign text."""

    id: str
    profile: str
    method: str
    summary: str
    """In plain words, what will be signed, shown or given away."""
    client: str
    pid: int
    executable: str
    token: str | None
    asked_at: int
    """Unix milliseconds."""
    expires_at: int
    """When no answer is a no."""


class ConfirmationsResult(Result, frozen=True, kw_only=True):
    """All that wait on this profile, oldest first."""

    items: list[Confirmation]


class ConfirmationAnswerParams(Params, frozen=True, kw_only=True):
    """A person's answer. Who answers what was answered before gets `not_found`."""

    id: str
    allow: bool


class ConfirmationEvent(Result, frozen=True, kw_only=True):
    """A call waits for a person's yes, or does not any more."""

    type: Literal["asked", "settled"]
    confirmation: Confirmation
    outcome: Literal["allowed", "refused", "timed_out", "gone"] | None = None
    """How it was settled; `gone` when the caller hung up."""


class ConfirmationNotice(Result, frozen=True, kw_only=True):
    """Said to the caller itself: one of its calls waits for a person's yes, which it may give if it is `full`."""

    confirmation: Confirmation
