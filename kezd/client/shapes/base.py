"""Shapes of `base`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict


class Descriptor(TypedDict):
    """An open file that the client sent along with the line (`SCM_RIGHTS`)."""

    fd: int
    """Which of the line's descriptors, from 0."""


class Done(TypedDict):
    """Nothing more to say."""

    ok: NotRequired[bool]


class PageParams(TypedDict):
    """One page of a list."""

    limit: NotRequired[int]
    cursor: NotRequired[str | None]
