"""Shapes of `tokens`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class TokenCreateParams(TypedDict):
    """Make a token. Names are unique, so a call that is repeated makes no second one."""

    name: str
    """1 to 64 printable characters."""
    scope: Literal["chat", "full", "read"]
    expires_in_s: NotRequired[int | None]
    """None for a token that lasts until it is revoked."""
    profiles: NotRequired[list[str] | None]
    """The only ones that it is for; None for all. A full token is for all."""


class TokenItem(TypedDict):
    """A token, without its secret. Times are Unix milliseconds."""

    name: str
    scope: Literal["chat", "full", "read"]
    profiles: list[str] | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    expired: bool


class TokenCreateResult(TypedDict):
    """The new token."""

    token: str
    """The secret: said here, and never again."""
    item: TokenItem


class TokenRef(TypedDict):
    """A token by its name."""

    name: str


class TokensResult(TypedDict):
    """A page of tokens, by name."""

    items: list[TokenItem]
    next_cursor: NotRequired[str | None]
