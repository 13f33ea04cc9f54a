"""Rows of `profiles.*`. They are about the daemon, whatever profile the connection has."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method("profiles.list", t.Empty, t.ProfilesResult, Scope.FULL, "The profiles of this daemon."),
    Method(
        "profiles.create",
        t.ProfileCreateParams,
        t.ProfileItem,
        Scope.FULL,
        "Make an empty profile; it is there at once, and after a restart.",
        (Slug.PROFILE_EXISTS,),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "profiles.remove",
        t.ProfileRemoveParams,
        t.Done,
        Scope.FULL,
        "Stop a profile and delete it with everything in it.",
        (Slug.UNKNOWN_PROFILE, Slug.PROFILE_IN_USE),
        confirm=True,
        dry_run=True,
        stoppable=False,
    ),
)
