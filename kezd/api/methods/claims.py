"""Rows of `claims.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Example, Method, Scope
from kezd.errors import Slug

_CHAIN = (Slug.NOT_REGISTERED, Slug.HOME_UNREACHABLE, Slug.CHAIN_FORK, Slug.CONFIRMATION_REFUSED)
_SERVICE = (Slug.SERVICE_UNREACHABLE, Slug.RATE_LIMITED)

METHODS = (
    Method(
        "claims.create",
        t.ClaimCreateParams,
        t.ClaimCreateResult,
        Scope.FULL,
        "Sign that we are a subject; while such a claim stands, that one.",
        (Slug.NOT_REGISTERED, Slug.CONFIRMATION_REFUSED),
        dry_run=True,
        stoppable=False,
        confirm=True,
    ),
    Method(
        "claims.authorize",
        t.ClaimAuthorizeParams,
        t.Done,
        Scope.FULL,
        "Keep the credential of an account in the vault, to publish as it.",
        (Slug.TOO_LARGE,),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "claims.credentials",
        t.Empty,
        t.CredentialsResult,
        Scope.FULL,
        "Accounts that kezd may publish as.",
        examples=(Example("one account", {}, {"accounts": ["github:alice"]}),),
    ),
    Method(
        "claims.forget",
        t.ClaimForgetParams,
        t.Done,
        Scope.FULL,
        "Forget the credential of an account.",
        (Slug.NOT_FOUND,),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "claims.publish",
        t.ClaimPublishParams,
        t.ClaimPublishResult,
        Scope.FULL,
        "Publish a claim, wait until it is seen, add it to the sigchain; calling again goes on.",
        (Slug.NOT_FOUND, Slug.CREDENTIAL_NEEDED, Slug.CREDENTIAL_REFUSED, *_SERVICE, *_CHAIN),
        confirm=True,
    ),
    Method(
        "claims.remove",
        t.ClaimRef,
        t.ClaimPublishResult,
        Scope.FULL,
        "Unpublish a claim where we can, and revoke it in the sigchain.",
        (Slug.NOT_FOUND, *_CHAIN),
        confirm=True,
        stoppable=False,
    ),
    Method(
        "claims.list",
        t.Empty,
        t.ClaimsResult,
        Scope.READ,
        "Our claims, how far each is, and whether it holds.",
        (Slug.NOT_REGISTERED,),
    ),
)
