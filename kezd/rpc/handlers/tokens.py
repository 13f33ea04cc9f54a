"""`tokens.*`."""

from kezd.api import types as t
from kezd.api.methods import Scope
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def create(session: Session, params: t.TokenCreateParams) -> t.TokenCreateResult:
    """Make a token; profiles that are not there are refused, as they would be misspelt."""
    for name in params.profiles or []:
        session.peer.profile(name)
    return await session.peer.tokens.create(
        params.name, Scope(params.scope), params.expires_in_s, params.profiles
    )


async def list_tokens(session: Session, params: t.PageParams) -> t.TokensResult:
    """A page."""
    return session.peer.tokens.list(session.page(params.limit), params.cursor)


async def revoke(session: Session, params: t.TokenRef) -> t.Done:
    """End one."""
    await session.peer.tokens.revoke(params.name)
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "tokens.create": create,
    "tokens.list": list_tokens,
    "tokens.revoke": revoke,
}
