"""Shapes of `events`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict


class Since(TypedDict):
    """A place in the event log."""

    epoch: str
    seq: int


class SubscribeParams(TypedDict):
    """Listen. With `since`: replay what came after it, then go live."""

    topics: list[str]
    since: NotRequired[Since | None]


class SubscribeResult(TypedDict):
    """The subscription and where the log stands; live events have a greater seq."""

    subscription: str
    epoch: str
    seq: int
    replayed_from: NotRequired[int | None]


class SubscriptionRef(TypedDict):
    """Names a subscription of this connection."""

    subscription: str
