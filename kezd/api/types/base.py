"""What every parameter and result is: a named object, strict on the way in.

Parameters refuse unknown members, results may grow members that clients ignore.
"""

from typing import Annotated

import msgspec

ProgressToken = Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | int
"""What a caller names the progress of its call by."""


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


class LongParams(Params, frozen=True, kw_only=True):
    """Base of parameters of a call that may take long."""

    progress_token: ProgressToken | None = None
    """Wanted: `$/progress` notifications that carry this token."""


class LongMutation(Mutation, frozen=True, kw_only=True):
    """Base of parameters of a call that changes something and may take long."""

    progress_token: ProgressToken | None = None
    """Wanted: `$/progress` notifications that carry this token."""


class Descriptor(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An open file that the client sent along with the line (`SCM_RIGHTS`)."""

    fd: Annotated[int, msgspec.Meta(ge=0, lt=16)]
    """Which of the line's descriptors, from 0."""


class PageParams(Params, frozen=True, kw_only=True):
    """One page of a list."""

    limit: int = 50
    cursor: str | None = None


class Done(Result, frozen=True, kw_only=True):
    """Nothing more to say."""

    ok: bool = True
