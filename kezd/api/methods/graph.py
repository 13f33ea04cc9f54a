"""Rows of `graph.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

_ASKED = (Slug.NOT_FOUND, Slug.HOME_UNREACHABLE, Slug.HOME_LIED, Slug.CHAIN_INVALID)

METHODS = (
    Method(
        "graph.verify",
        t.GraphVerifyParams,
        t.GraphVerifyResult,
        Scope.CHAT,
        "Check an identifier, a handle, a primary, or a text with a proof in it.",
        _ASKED,
    ),
    Method(
        "graph.show",
        t.GraphShowParams,
        t.GraphProfile,
        Scope.CHAT,
        "Somebody with all that they claim, each checked.",
        _ASKED,
    ),
    Method(
        "graph.find",
        t.GraphFindParams,
        t.GraphFindResult,
        Scope.CHAT,
        "Who a subject is: candidates, each checked by this peer.",
    ),
    Method(
        "graph.follow",
        t.FollowParams,
        t.Follow,
        Scope.FULL,
        "Keep a signed snapshot of somebody, and be told when it holds no more.",
        (*_ASKED, Slug.NOT_REGISTERED, Slug.CHAIN_FORK, Slug.CHAIN_ROLLBACK, Slug.CONFIRMATION_REFUSED),
        dry_run=True,
        confirm=True,
    ),
    Method(
        "graph.unfollow",
        t.GraphRef,
        t.Done,
        Scope.FULL,
        "Follow somebody no more.",
        (Slug.NOT_FOUND,),
        dry_run=True,
    ),
    Method("graph.follows", t.Empty, t.FollowsResult, Scope.READ, "Everybody whom we follow."),
)
