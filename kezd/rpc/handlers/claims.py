"""`claims.*` and `graph.*`."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session

STEPS = "steps"
CLAIMS = "claims"


async def create(session: Session, params: t.ClaimCreateParams) -> t.ClaimCreateResult:
    """Sign a claim."""
    return await session.profile.claims.create(params.subject, params.expires_in_s, dry_run=params.dry_run)


async def authorize(session: Session, params: t.ClaimAuthorizeParams) -> t.Done:
    """Keep a credential."""
    await session.profile.claims.authorize(
        params.system, params.account, params.secret, dry_run=params.dry_run
    )
    return t.Done()


async def credentials(session: Session, _params: t.Empty) -> t.CredentialsResult:
    """Names of credentials."""
    return session.profile.claims.credentials()


async def forget(session: Session, params: t.ClaimForgetParams) -> t.Done:
    """Forget a credential."""
    await session.profile.claims.forget(params.system, params.account, dry_run=params.dry_run)
    return t.Done()


async def publish(session: Session, params: t.ClaimPublishParams) -> t.ClaimPublishResult:
    """Publish a claim, as far as it goes."""
    with session.progress(params.progress_token, STEPS) as progress:
        return await session.profile.claims.publish(params.subject, params.wait_s, progress.report)


async def remove(session: Session, params: t.ClaimRef) -> t.ClaimPublishResult:
    """Take a claim back."""
    with session.progress(params.progress_token, STEPS) as progress:
        return await session.profile.claims.remove(params.subject, progress.report)


async def list_claims(session: Session, _params: t.Empty) -> t.ClaimsResult:
    """Our claims."""
    return await session.profile.claims.list()


async def verify(session: Session, params: t.GraphVerifyParams) -> t.GraphVerifyResult:
    """Check whatever it is."""
    with session.progress(params.progress_token, CLAIMS) as progress:
        return await session.profile.graph.verify(params.what, fresh=params.fresh, report=progress.report)


async def show(session: Session, params: t.GraphShowParams) -> t.GraphProfile:
    """Somebody's profile."""
    with session.progress(params.progress_token, CLAIMS) as progress:
        return await session.profile.graph.show(params.who, fresh=params.fresh, report=progress.report)


async def find(session: Session, params: t.GraphFindParams) -> t.GraphFindResult:
    """Who a subject is."""
    with session.progress(params.progress_token, CLAIMS) as progress:
        return await session.profile.graph.find(params.subject, params.server, report=progress.report)


async def follow(session: Session, params: t.FollowParams) -> t.Follow:
    """Keep a snapshot."""
    with session.progress(params.progress_token, CLAIMS) as progress:
        return await session.profile.graph.follow(params.who, progress.report, dry_run=params.dry_run)


async def unfollow(session: Session, params: t.GraphRef) -> t.Done:
    """Follow no more."""
    await session.profile.graph.unfollow(params.who, dry_run=params.dry_run)
    return t.Done()


async def follows(session: Session, _params: t.Empty) -> t.FollowsResult:
    """Whom we follow."""
    return await session.profile.graph.follows()


HANDLERS: dict[str, Handler] = {
    "claims.create": create,
    "claims.authorize": authorize,
    "claims.credentials": credentials,
    "claims.forget": forget,
    "claims.publish": publish,
    "claims.remove": remove,
    "claims.list": list_claims,
    "graph.verify": verify,
    "graph.show": show,
    "graph.find": find,
    "graph.follow": follow,
    "graph.unfollow": unfollow,
    "graph.follows": follows,
}
