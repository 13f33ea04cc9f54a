"""`audit.*`."""

from kezd.api import types as t
from kezd.errors import AccessError, Slug
from kezd.rpc.dispatch import Handler
from kezd.rpc.ports import ProfileState
from kezd.rpc.session import Session


async def list_audit(session: Session, params: t.PageParams) -> t.AuditResult:
    """A page of the log."""
    if session.profile.state is ProfileState.LOCKED:
        raise AccessError(Slug.LOCKED)
    return await session.profile.audit.list(session.page(params.limit), params.cursor)


HANDLERS: dict[str, Handler] = {"audit.list": list_audit}
