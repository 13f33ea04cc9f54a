"""Rows of `session.*` and `rpc.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "session.initialize",
        t.InitializeParams,
        t.InitializeResult,
        Scope.READ,
        "Begin a connection: versions, profile, limits.",
        (Slug.UNSUPPORTED_API, Slug.UNKNOWN_PROFILE),
        bare=True,
    ),
    Method(
        "session.unlock",
        t.UnlockParams,
        t.StateResult,
        Scope.FULL,
        "Open the vault of a locked profile.",
        (
            Slug.WRONG_PASSPHRASE,
            Slug.PASSPHRASE_NEEDED,
            Slug.KEYRING_LOCKED,
            Slug.KEYRING_MISSING,
            Slug.VAULT_DAMAGED,
        ),
        stoppable=False,
    ),
    Method(
        "rpc.cancel",
        t.CancelParams,
        t.CancelResult,
        Scope.READ,
        "Stop a call of this connection; it answers `cancelled`, or its result when it was done already.",
        bare=True,
    ),
    Method("rpc.discover", t.Empty, t.Document, Scope.READ, "The OpenRPC document of this API.", bare=True),
)
