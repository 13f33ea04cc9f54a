"""One connection's standing: which profile, which scope, initialised or not.

Handlers get a `Session` and nothing else of the connection. Not the connection itself:
no socket, no bytes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from kezd.api import types as t
from kezd.api.methods import Scope
from kezd.errors import RequestError, Slug
from kezd.rpc.descriptors import Bundle
from kezd.rpc.peercred import Caller
from kezd.rpc.ports import Grant, Peer, Profile, Progress
from kezd.rpc.progress import Progresses
from kezd.rpc.running import Running
from kezd.rpc.subscriptions import Subscriptions
from kezd.runtime.audit import AuditEntry
from kezd.runtime.settings import RpcSettings

CLIENT_LENGTH = 64
"""Characters of a client's name that the audit log keeps."""
PAGE = 200
"""Items of a list in one page, at most."""


@dataclass(slots=True)
class Session:
    """What a connection has said about itself so far."""

    peer: Peer
    limits: RpcSettings
    caller: Caller
    subscriptions: Subscriptions
    progresses: Progresses
    notify: Callable[[str, dict[str, Any]], None]
    """Queues a notification for this client; never waits."""
    running: Running
    connection: str
    """Names this connection in the audit log."""
    executable: str
    """What the caller ran when it connected."""
    watch: Callable[[Grant], None]
    """Ends the connection when its token is over; never waits."""
    scope: Scope = Scope.CHAT
    grant: Grant | None = None
    """The token that gave the scope."""
    gone: trio.Event = field(default_factory=trio.Event)
    """The caller will say nothing more."""
    entries: dict[str, AuditEntry] = field(default_factory=dict)
    """By method, as they are needed."""
    leaving: ExitStack = field(default_factory=ExitStack)
    """What is undone when the connection ends."""
    client: str = ""
    bound: Profile | None = None
    warned: set[str] = field(default_factory=set)
    """Deprecated methods that this client was told about."""
    descriptors: Bundle | None = None
    """What came along with the line of the call that this is for."""

    @property
    def profile(self) -> Profile:
        """The profile this connection is about.

        Raises:
            RequestError: `not_initialized`.
        """
        if self.bound is None:
            raise RequestError(Slug.NOT_INITIALIZED)
        return self.bound

    def entry(self, method: str) -> AuditEntry:
        """How the audit log names a call of this connection."""
        entry = self.entries.get(method)
        if entry is None:
            entry = self.entries[method] = AuditEntry(
                method=method,
                client=self.client[:CLIENT_LENGTH],
                connection=self.connection,
                pid=self.caller.pid,
                executable=self.executable,
                scope=self.scope.value,
                token=None if self.grant is None else self.grant.name,
            )
        return entry

    def progress(self, token: t.ProgressToken | None, unit: str = "") -> AbstractContextManager[Progress]:
        """A reporter for one call: `with session.progress(params.progress_token, "bytes") as progress`.

        Args:
            token: what the caller named it; None for a caller that wants no progress.
            unit: of the numbers reported.
        """
        return self.progresses.open(token, unit)

    def with_descriptors(self, descriptors: Bundle) -> "Session":
        """The same for a call whose line came with descriptors."""
        return replace(self, descriptors=descriptors)

    def take_descriptor(self, index: int) -> int:
        """Hand over an open file that came with the call's line: the handler closes it.

        Args:
            index: `Descriptor.fd` of the parameter.

        Raises:
            RequestError: `invalid_argument` when none, or no more, is there.
        """
        return self._bundle.take(index)

    def name_descriptor(self, index: int) -> str:
        """What the kernel calls an open file that came along, for a person to read; it stays there.

        Args:
            index: as for `take_descriptor`.

        Raises:
            RequestError: as `take_descriptor`.
        """
        return self._bundle.name(index)

    @property
    def _bundle(self) -> Bundle:
        return self.descriptors or Bundle([], lambda _: None)

    def page(self, limit: int) -> int:
        """A wished page size, capped.

        Raises:
            RequestError: `invalid_argument` when it is not positive.
        """
        if limit < 1:
            raise RequestError(Slug.INVALID_ARGUMENT, "`limit` must be at least 1", detail={"field": "limit"})
        return min(limit, PAGE)
