"""Rows of `identity.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method("identity.show", t.Empty, t.IdentityResult, Scope.READ, "The identity of this profile."),
    Method(
        "identity.create",
        t.IdentityCreateParams,
        t.IdentityCreateResult,
        Scope.FULL,
        "Make a key; returns the recovery words to be written on paper.",
        (Slug.IDENTITY_EXISTS, Slug.PASSPHRASE_NEEDED),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "identity.confirm",
        t.IdentityConfirmParams,
        t.IdentityResult,
        Scope.FULL,
        "Prove that the words were written down.",
        (Slug.WORDS_NOT_CONFIRMED, Slug.NO_IDENTITY),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "identity.register",
        t.IdentityRegisterParams,
        t.IdentityResult,
        Scope.FULL,
        "Register a handle and publish the sigchain.",
        (Slug.HANDLE_TAKEN, Slug.PRIMARY_TAKEN, Slug.HOME_UNREACHABLE, Slug.IDENTITY_PENDING),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "identity.restore",
        t.IdentityRestoreParams,
        t.IdentityResult,
        Scope.FULL,
        "Bring an identity back from its words; other installations become superseded.",
        (
            Slug.WRONG_WORDS,
            Slug.IDENTITY_EXISTS,
            Slug.HOME_UNREACHABLE,
            Slug.NOT_REGISTERED,
            Slug.CONFIRMATION_REFUSED,
        ),
        dry_run=True,
        stoppable=False,
        confirm=True,
    ),
    Method(
        "identity.words",
        t.IdentityWordsParams,
        t.WordsResult,
        Scope.FULL,
        "Show the recovery words again, after a fresh unlock.",
        (Slug.NO_IDENTITY, Slug.WRONG_PASSPHRASE, Slug.PASSPHRASE_NEEDED, Slug.CONFIRMATION_REFUSED),
        confirm=True,
    ),
)
