"""The row of `audit.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "audit.list",
        t.PageParams,
        t.AuditResult,
        Scope.FULL,
        "Which program called what, newest first.",
        (Slug.NO_IDENTITY, Slug.LOCKED),
    ),
)
