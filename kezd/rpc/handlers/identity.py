"""`identity.*`: create, confirm, register, restore, show."""

from kezd.api import types as t
from kezd.errors import RequestError, Slug
from kezd.rpc.dispatch import Handler, make_once
from kezd.rpc.ports import ProfileState
from kezd.rpc.session import Session

LONGEST_ANSWER = 32


async def show(session: Session, _params: t.Empty) -> t.IdentityResult:
    """The identity, or `none` on an empty profile."""
    if session.profile.state is ProfileState.EMPTY:
        return t.IdentityResult(state="none")
    return await session.profile.identity.show()


async def create(session: Session, params: t.IdentityCreateParams) -> t.IdentityCreateResult:
    """Make a key. The same key and words again until they are confirmed."""
    return await session.profile.create(params, make_once(session, "identity.create", params))


def positions(given: dict[str, str]) -> dict[int, str]:
    """Words by position, from words by position as text.

    Raises:
        RequestError: `invalid_argument`.
    """
    answers: dict[int, str] = {}
    for position, word in given.items():
        if not (position.isascii() and position.isdigit() and len(position) <= 2):
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                "`answers`: keys are positions of words, as text",
                detail={"field": "answers"},
            )
        answers[int(position)] = word[:LONGEST_ANSWER]
    return answers


async def confirm(session: Session, params: t.IdentityConfirmParams) -> t.IdentityResult:
    """Check the words asked for."""
    return await session.profile.identity.confirm(positions(params.answers), dry_run=params.dry_run)


async def register(session: Session, params: t.IdentityRegisterParams) -> t.IdentityResult:
    """Register a handle for the confirmed key."""
    return await session.profile.identity.register(params.handle, params.home_url, dry_run=params.dry_run)


async def restore(session: Session, params: t.IdentityRestoreParams) -> t.IdentityResult:
    """Bring an identity back, or take it over again."""
    return await session.profile.restore(params)


async def words(session: Session, params: t.IdentityWordsParams) -> t.WordsResult:
    """The words again, after a fresh unlock."""
    return await session.profile.identity.words(params.passphrase)


HANDLERS: dict[str, Handler] = {
    "identity.show": show,
    "identity.create": create,
    "identity.confirm": confirm,
    "identity.register": register,
    "identity.restore": restore,
    "identity.words": words,
}
