"""Rows of `tokens.*`. They are about the daemon, whatever profile the connection has."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "tokens.create",
        t.TokenCreateParams,
        t.TokenCreateResult,
        Scope.FULL,
        "Make a token for another program; a full one waits for a confirmation.",
        (Slug.UNKNOWN_PROFILE, Slug.CONFIRMATION_REFUSED, Slug.DISK_FULL, Slug.FILE_FAILED),
        confirm=True,
    ),
    Method("tokens.list", t.PageParams, t.TokensResult, Scope.FULL, "The tokens, without their secrets."),
    Method(
        "tokens.revoke",
        t.TokenRef,
        t.Done,
        Scope.FULL,
        "End a token, and the connections that have it.",
        (Slug.NOT_FOUND, Slug.DISK_FULL, Slug.FILE_FAILED),
    ),
)
