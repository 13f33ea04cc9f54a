"""What every parameter and result is: a named object, strict on the way in.

Parameters refuse unknown members, results may grow members that clients ignore.
"""

import msgspec


class Params(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of all parameters: named, unknown members refused by name."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all results: always an object."""


class Empty(Params, frozen=True, kw_only=True):
    """A method without parameters."""


class Mutation(Params, frozen=True, kw_only=True):
    """Base of parameters that change something."""

    idempotency_key: str | None = None
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: bool = False
    """Check everything, change nothing."""


class PageParams(Params, frozen=True, kw_only=True):
    """One page of a list."""

    limit: int = 50
    cursor: str | None = None


class Done(Result, frozen=True, kw_only=True):
    """Nothing more to say."""

    ok: bool = True
