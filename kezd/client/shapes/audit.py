"""Shapes of `audit`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict


class AuditItem(TypedDict):
    """One call that changes something or needs the scope `full`, or many alike of one connection and hour."""

    at: int
    """Of the first call, Unix milliseconds."""
    last_at: int
    count: int
    method: str
    client: str
    """The name that the program gave itself."""
    connection: str
    pid: int
    """As the kernel told it when the connection was made."""
    executable: str
    """What that process ran then; `?` when it could not be read."""
    scope: str
    token: str | None
    """Name of the token shown; None without one."""
    confirmed_by: str | None
    """The front-end through which a person said yes."""
    outcome: str
    """`ok`, the error's slug, or `begun` while it runs (for good, when the daemon died during it)."""


class AuditResult(TypedDict):
    """A page, newest first."""

    items: list[AuditItem]
    next_cursor: NotRequired[str | None]
