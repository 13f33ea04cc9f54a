"""Shapes of `session`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Any, NotRequired, TypedDict


class ApiRange(TypedDict):
    """Versions of this API that the client can speak."""

    min: NotRequired[int]
    max: NotRequired[int]


class CancelParams(TypedDict):
    """Names a call of this connection."""

    id: str | int | float
    """The request's `id`."""


class CancelResult(TypedDict):
    """Whether there was something to stop."""

    found: bool
    """False when no call of that id waits: it has been answered, or was never made."""


class ClientInfo(TypedDict):
    """Who calls."""

    name: str
    version: NotRequired[str]


class Document(TypedDict):
    """The OpenRPC document."""

    document: dict[str, Any]


class InitializeParams(TypedDict):
    """The first call of a connection."""

    client: ClientInfo
    api: NotRequired[ApiRange]
    profile: NotRequired[str]
    token: NotRequired[str | None]
    """Secret of a token, for its scope; without one: `chat`."""


class Limits(TypedDict):
    """What the peer accepts."""

    line_bytes: int
    batch: int
    calls_in_flight: int
    connections: int
    page: int


class InitializeResult(TypedDict):
    """What the connection is from now on."""

    api: int
    daemon_version: str
    instance_id: str
    """New at each start of the daemon."""
    epoch: str | None
    """The event log's; None while the profile is empty or locked."""
    profile: str
    scope: str
    state: str
    """`empty`, `locked`, or `open`; `session.changed` tells when it becomes another one."""
    handle: NotRequired[str | None]
    """Of the identity, qualified; null while the profile is not open or has no handle."""
    primary: NotRequired[str | None]
    """Genesis primary of the identity; null while the profile is not open or has none."""
    limits: Limits
    capabilities: list[str]


class StateResult(TypedDict):
    """State of the profile."""

    state: str


class UnlockParams(TypedDict):
    """Open the vault."""

    passphrase: NotRequired[str | None]
