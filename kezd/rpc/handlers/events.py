"""`events.*`."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session
from kezd.rpc.subscriptions import check_topics


async def subscribe(session: Session, params: t.SubscribeParams) -> t.SubscribeResult:
    """Begin a subscription, after a place in the log or from now on."""
    since = params.since
    place = await session.subscriptions.open(
        session.profile.events,
        check_topics(params.topics),
        None if since is None else since.epoch,
        0 if since is None else since.seq,
    )
    return t.SubscribeResult(
        subscription=place.subscription,
        epoch=place.epoch,
        seq=place.seq,
        replayed_from=place.replayed_from,
    )


async def unsubscribe(session: Session, params: t.SubscriptionRef) -> t.Done:
    """End a subscription; no event of it follows the answer."""
    session.subscriptions.close(params.subscription)
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "events.subscribe": subscribe,
    "events.unsubscribe": unsubscribe,
}
