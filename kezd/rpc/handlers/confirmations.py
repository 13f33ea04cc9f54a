"""`confirmations.*`: what a person is asked, and what they answer."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def list_confirmations(session: Session, _params: t.Empty) -> t.ConfirmationsResult:
    """All of this profile."""
    return t.ConfirmationsResult(items=[*session.peer.confirmations.list(session.profile.name)])


async def answer(session: Session, params: t.ConfirmationAnswerParams) -> t.Done:
    """Yes or no."""
    by = session.entry("confirmations.answer")
    session.peer.confirmations.answer(
        params.id,
        session.profile.name,
        f"{by.client} (pid {by.pid}, {by.executable})",
        allow=params.allow,
    )
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "confirmations.list": list_confirmations,
    "confirmations.answer": answer,
}
