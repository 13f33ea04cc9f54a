"""`session.*` and `rpc.*`: how a connection begins."""

from typing import Any, Literal

from kezd.api.types.base import Params, Result

SaidState = Literal["empty", "locked", "open", "removed"]
"""State of a profile as `session.changed` says it."""


class ClientInfo(Params, frozen=True, kw_only=True):
    """Who calls."""

    name: str
    version: str = ""


class ApiRange(Params, frozen=True, kw_only=True):
    """Versions of this API that the client can speak."""

    min: int = 1
    max: int = 1


class InitializeParams(Params, frozen=True, kw_only=True):
    """The first call of a connection."""

    client: ClientInfo
    api: ApiRange = ApiRange()
    profile: str = "default"
    token: str | None = None
    """Secret of a token, for its scope; without one: `chat`."""


class Limits(Result, frozen=True, kw_only=True):
    """What the peer accepts."""

    line_bytes: int
    batch: int
    calls_in_flight: int
    connections: int
    page: int


class InitializeResult(Result, frozen=True, kw_only=True):
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
    handle: str | None = None
    """Of the identity, qualified; null while the profile is not open or has no handle."""
    primary: str | None = None
    """Genesis primary of the identity; null while the profile is not open or has none."""
    limits: Limits
    capabilities: list[str]


class UnlockParams(Params, frozen=True, kw_only=True):
    """Open the vault."""

    passphrase: str | None = None


class StateResult(Result, frozen=True, kw_only=True):
    """State of the profile."""

    state: str


class CancelParams(Params, frozen=True, kw_only=True):
    """Names a call of this connection."""

    id: str | int | float
    """The request's `id`."""


class CancelResult(Result, frozen=True, kw_only=True):
    """Whether there was something to stop."""

    found: bool
    """False when no call of that id waits: it has been answered, or was never made."""


class Document(Result, frozen=True, kw_only=True):
    """The OpenRPC document."""

    document: dict[str, Any]
