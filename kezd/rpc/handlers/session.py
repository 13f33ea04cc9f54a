"""`session.*` and `rpc.*`: how a connection begins."""

from kezd.api import types as t
from kezd.api.events import SESSION_CHANGED
from kezd.api.methods import API_MIN, API_VERSION
from kezd.api.openrpc import build_document
from kezd.api.versions import choose_version
from kezd.errors import RequestError, Slug
from kezd.rpc.dispatch import Handler
from kezd.rpc.ports import ProfileState
from kezd.rpc.session import PAGE, Session

CAPABILITIES = [
    "batch",
    "cancel",
    "descriptors",
    "dry_run",
    "events.replay",
    "framing.content_length",
    "idempotency",
    "progress",
]


async def initialize(session: Session, params: t.InitializeParams) -> t.InitializeResult:
    """Bind the connection to a profile. Never waits, so that calls written behind it see it done."""
    if session.bound is not None:
        raise RequestError(Slug.INVALID_ARGUMENT, "this connection is initialised already")
    api = _agree(params.api)
    profile = session.peer.profile(params.profile)
    if params.token is not None:
        session.grant = session.peer.tokens.grant(params.token, profile.name)
        session.scope = session.grant.scope
        session.watch(session.grant)
    session.bound = profile
    session.client = params.client.name
    session.leaving.enter_context(profile.watch(lambda state: _say_changed(session, profile.name, state)))
    is_open = profile.state is ProfileState.OPEN
    shown = await profile.identity.show() if is_open else None  # it is in memory
    limits = session.limits
    return t.InitializeResult(
        api=api,
        daemon_version=session.peer.version,
        instance_id=session.peer.instance_id,
        epoch=profile.events.epoch if is_open else None,
        profile=profile.name,
        scope=session.scope.value,
        state=profile.state.value,
        handle=None if shown is None else shown.handle,
        primary=None if shown is None else shown.primary,
        limits=t.Limits(
            line_bytes=limits.line_bytes,
            batch=limits.batch,
            calls_in_flight=limits.calls_in_flight,
            connections=limits.connections,
            page=PAGE,
        ),
        capabilities=CAPABILITIES,
    )


def _say_changed(session: Session, profile: str, state: t.SaidState) -> None:
    session.notify(SESSION_CHANGED, {"profile": profile, "state": state})


def _agree(theirs: t.ApiRange) -> int:
    """The highest version that both sides speak.

    Raises:
        RequestError: `unsupported_api` saying both ranges, `invalid_argument` for a range that is none.
    """
    try:
        api = choose_version((theirs.min, theirs.max), (API_MIN, API_VERSION))
    except ValueError as error:
        raise RequestError(
            Slug.INVALID_ARGUMENT, f"`api`: {theirs.min} to {theirs.max} is no range", detail={"field": "api"}
        ) from error
    if api is None:
        raise RequestError(
            Slug.UNSUPPORTED_API,
            f"this kezd speaks versions {API_MIN} to {API_VERSION} of the API,"
            f" the client {theirs.min} to {theirs.max}",
            detail={
                "min": API_MIN,
                "max": API_VERSION,
                "client_min": theirs.min,
                "client_max": theirs.max,
            },
        )
    return api


async def unlock(session: Session, params: t.UnlockParams) -> t.StateResult:
    """Open the vault; done at once when it is open."""
    await session.profile.unlock(params.passphrase)
    return t.StateResult(state=session.profile.state.value)


async def cancel(session: Session, params: t.CancelParams) -> t.CancelResult:
    """Ask a call to stop. Never waits."""
    return t.CancelResult(found=session.running.cancel(params.id))


async def discover(_session: Session, _params: t.Empty) -> t.Document:
    """The OpenRPC document."""
    return t.Document(document=build_document())


HANDLERS: dict[str, Handler] = {
    "session.initialize": initialize,
    "session.unlock": unlock,
    "rpc.cancel": cancel,
    "rpc.discover": discover,
}
