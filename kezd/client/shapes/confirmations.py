"""Shapes of `confirmations`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class Confirmation(TypedDict):
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


class ConfirmationAnswerParams(TypedDict):
    """A person's answer. Who answers what was answered before gets `not_found`."""

    id: str
    allow: bool


class ConfirmationEvent(TypedDict):
    """A call waits for a person's yes, or does not any more."""

    type: Literal["asked", "settled"]
    confirmation: Confirmation
    outcome: NotRequired[Literal["allowed", "gone", "refused", "timed_out"] | None]
    """How it was settled; `gone` when the caller hung up."""


class ConfirmationNotice(TypedDict):
    """Said to the caller itself: one of its calls waits for a person's yes, which it may give if it is `full`."""

    confirmation: Confirmation


class ConfirmationsResult(TypedDict):
    """All that wait on this profile, oldest first."""

    items: list[Confirmation]
