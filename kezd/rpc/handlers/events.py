"""`events.*`."""

from kezd.api import types as t
from kezd.api.methods import Scope
from kezd.api.notifications import TOPICS
from kezd.errors import AccessError, RequestError, Slug
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session

_ONLY_FULL = frozenset(row.topic.value for row in TOPICS if row.scope is Scope.FULL)


async def subscribe(session: Session, params: t.SubscribeParams) -> t.SubscribeResult:
    """Begin a subscription; its events follow the answer."""
    secret = [topic for topic in params.topics if topic in _ONLY_FULL]
    if secret and session.scope is not Scope.FULL:
        raise AccessError(Slug.FORBIDDEN, f"the topic `{secret[0]}` needs the scope `full`")
    return await session.subscriptions.open(session.profile.events, params)


async def unsubscribe(session: Session, params: t.SubscriptionRef) -> t.Done:
    """End a subscription; no event of it follows the answer."""
    session.subscriptions.close(params.subscription)
    return t.Done()


async def ack(session: Session, params: t.AckParams) -> t.AckResult:
    """Done with everything up to a seq."""
    acked = await session.profile.events.consumers.ack(params.consumer, params.seq)
    return t.AckResult(consumer=params.consumer, acked=acked)


async def consumers(session: Session, _params: t.Empty) -> t.ConsumersResult:
    """All of them."""
    return t.ConsumersResult(items=await session.profile.events.consumers.list())


async def forget(session: Session, params: t.ConsumerRef) -> t.Done:
    """Drop one."""
    consumers = session.profile.events.consumers
    if not params.dry_run:
        await consumers.forget(params.consumer)
    elif all(known.name != params.consumer for known in await consumers.list()):
        raise RequestError(Slug.NOT_FOUND)
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "events.subscribe": subscribe,
    "events.unsubscribe": unsubscribe,
    "events.ack": ack,
    "events.consumers": consumers,
    "events.forget": forget,
}
