"""`profiles.*`: the identities that one daemon keeps side by side."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def list_all(session: Session, _params: t.Empty) -> t.ProfilesResult:
    """All of them."""
    return await session.peer.list_profiles()


async def create(session: Session, params: t.ProfileCreateParams) -> t.ProfileItem:
    """A new one."""
    return await session.peer.create_profile(
        params.name, again=params.idempotency_key is not None, dry_run=params.dry_run
    )


async def remove(session: Session, params: t.ProfileRemoveParams) -> t.Done:
    """One less."""
    await session.peer.remove_profile(
        params.name, force=params.force, again=params.idempotency_key is not None, dry_run=params.dry_run
    )
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "profiles.list": list_all,
    "profiles.create": create,
    "profiles.remove": remove,
}
