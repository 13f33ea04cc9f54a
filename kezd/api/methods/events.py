"""Rows of `events.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "events.subscribe",
        t.SubscribeParams,
        t.SubscribeResult,
        Scope.READ,
        "Listen to events, from a place in the log on.",
        (Slug.CANNOT_REPLAY,),
    ),
    Method("events.unsubscribe", t.SubscriptionRef, t.Done, Scope.READ, "Stop listening.", (Slug.NOT_FOUND,)),
)
