"""`events.*`: listening."""

from kezd.api.types.base import Params, Result


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
