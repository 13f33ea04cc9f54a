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
        "Listen to events: from now on, from a place in the log, as a named consumer, or from a snapshot.",
        (Slug.CANNOT_REPLAY, Slug.BUSY),
    ),
    Method("events.unsubscribe", t.SubscriptionRef, t.Done, Scope.READ, "Stop listening.", (Slug.NOT_FOUND,)),
    Method(
        "events.ack",
        t.AckParams,
        t.AckResult,
        Scope.READ,
        "A named consumer is done with the events up to a seq.",
        (Slug.NOT_FOUND,),
    ),
    Method(
        "events.consumers",
        t.Empty,
        t.ConsumersResult,
        Scope.READ,
        "The named consumers, and how far each is behind.",
    ),
    Method(
        "events.forget",
        t.ConsumerRef,
        t.Done,
        Scope.CHAT,
        "Drop a named consumer; nothing is kept for it any more.",
        (Slug.NOT_FOUND,),
        dry_run=True,
    ),
)
