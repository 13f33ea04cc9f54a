"""Rows of `confirmations.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "confirmations.list",
        t.Empty,
        t.ConfirmationsResult,
        Scope.FULL,
        "The calls that wait for a person's yes.",
    ),
    Method(
        "confirmations.answer",
        t.ConfirmationAnswerParams,
        t.Done,
        Scope.FULL,
        "Say yes or no to one of them.",
        (Slug.NOT_FOUND,),
    ),
)
