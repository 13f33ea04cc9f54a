"""Who asked for what, as the audit log keeps it: a value between the socket and the store.

Not the row itself: when, how often and with which outcome come with it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call's method and caller. All texts are the caller's word, but for the last four."""

    method: str
    client: str
    """The name that the program gave itself; at most 64 characters are kept."""
    connection: str
    """New for each connection, over all starts."""
    pid: int
    """As the kernel told it when the connection was made."""
    executable: str
    """What that process ran then; `?` when it could not be read."""
    scope: str
    token: str | None = None
    """Name of the token that gave the scope."""
