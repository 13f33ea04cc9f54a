"""`tokens.*`: what other programs show to get a scope of their own."""

from typing import Annotated, Literal

import msgspec

from kezd.api.types.base import Params, Result

TEN_YEARS = 3650 * 24 * 3600


class TokenCreateParams(Params, frozen=True, kw_only=True):
    """Make a token. Names are unique, so a call that is repeated makes no second one."""

    name: str
    """1 to 64 printable characters."""
    scope: Literal["full", "chat", "read"]
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=TEN_YEARS)] | None = None
    """None for a token that lasts until it is revoked."""
    profiles: Annotated[list[str], msgspec.Meta(max_length=64)] | None = None
    """The only ones that it is for; None for all. A full token is for all."""


class TokenItem(Result, frozen=True, kw_only=True):
    """A token, without its secret. Times are Unix milliseconds."""

    name: str
    scope: Literal["full", "chat", "read"]
    profiles: list[str] | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    expired: bool


class TokenCreateResult(Result, frozen=True, kw_only=True):
    """The new token."""

    token: str
    """The secret: said here, and never again."""
    item: TokenItem


class TokensResult(Result, frozen=True, kw_only=True):
    """A page of tokens, by name."""

    items: list[TokenItem]
    next_cursor: str | None = None


class TokenRef(Params, frozen=True, kw_only=True):
    """A token by its name."""

    name: str
