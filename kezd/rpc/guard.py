"""What stands before a call's work: its scope, a person's yes, and a row of the audit log.

One guard for each method. Not who has which scope: tokens say that. Invariants: nothing is
asked of a person, and nothing runs, for a caller without the scope; a call that uses the
identity's key or gives power away has its audit row before it begins; how the call ended is
in the log before its caller learns it.
"""

import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any

import msgspec
import trio

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.api.methods import Method, Scope
from kezd.api.notifications import CONFIRMATION
from kezd.errors import AccessError, KezdError, RequestError, Slug, StoreError
from kezd.rpc.ports import BegunRow
from kezd.rpc.session import Session

log = logging.getLogger(__name__)

Summary = Callable[[Session, Any], Awaitable[str | None]]
"""What will be signed, shown or given away, in plain words; None when this call needs no yes. May refuse it."""

NOTED_BY_SERVICE = frozenset({"chat.send", "chat.read"})
"""Methods whose services write the row in the transaction of the effect."""
ON_A_FULL_DISK = frozenset({"confirmations.answer", "daemon.report", "daemon.shutdown", "tokens.revoke"})
"""They must work where no row can be written before. A yes gives nothing: the call that it is for needs its own row."""
LOOKING = frozenset({"list", "verify"})
"""Verbs of the scope `full` that only look: many alike are one row."""
WRITING = 5.0
"""Seconds that the row of a call which is being stopped may take."""
OK = "ok"

_GRANTED_BY = {
    Scope.FULL: (Scope.FULL,),
    Scope.CHAT: (Scope.CHAT, Scope.FULL),
    Scope.READ: (Scope.CHAT, Scope.READ, Scope.FULL),
}
"""Tuples: looking for a member compares identities, its hash would be computed in Python each time."""


class _Audit(Enum):
    NONE = auto()
    BY_SERVICE = auto()
    ALIKE = auto()
    SINGLE = auto()
    AFTERWARDS = auto()


class Record:
    """One call as the audit log will have it."""

    __slots__ = ("begun", "noted", "tried")

    def __init__(self) -> None:
        self.begun: BegunRow | None = None
        self.noted = False
        """The service has written the row."""
        self.tried = False
        """A dry run: nothing happened, nothing is kept."""


class Guard:
    """Of one method."""

    def __init__(self, method: Method, summary: Summary | None) -> None:
        self._method = method
        self._summary = summary
        self._granted_by = _GRANTED_BY[method.scope]
        self._audit = _kind(method)
        self.audits = self._audit is not _Audit.NONE

    def admit(self, session: Session) -> None:
        """Refuse who may not.

        Raises:
            RequestError: `not_initialized`.
            AccessError: `forbidden`.
        """
        method = self._method
        if session.bound is None:
            if not method.bare:
                raise RequestError(Slug.NOT_INITIALIZED)
            return
        if session.grant is not None and session.grant.over:
            raise AccessError(Slug.FORBIDDEN, "the token of this connection is over", hint="kez token list")
        if session.scope not in self._granted_by:
            raise AccessError(
                Slug.FORBIDDEN,
                f"{method.name} needs the scope `{method.scope.value}`,"
                f" this connection has `{session.scope.value}`",
                hint=f"the person gives it: kez token create NAME --scope {method.scope.value}",
            )

    async def prepare(self, session: Session, params: Any, record: Record) -> None:
        """What a checked call still needs: a person's yes, and its row.

        Raises:
            AccessError: `confirmation_refused`.
            KezdError: what a summary refuses; a row that cannot be written.
        """
        if isinstance(params, t.Mutation) and params.dry_run:
            record.tried = True
            record.noted = True
            return
        by = await self._confirm(session, params) if self._method.confirm else None
        if self._audit is _Audit.SINGLE:
            record.begun = await session.profile.audit.begin(session.entry(self._method.name), by)
        elif self._audit is _Audit.BY_SERVICE:
            record.noted = True

    async def recorded(self, session: Session, work: Callable[[Record], Awaitable[Any]]) -> Any:
        """Run the work of a call, and write how it ended."""
        record = Record()
        try:
            result = await work(record)
        except KezdError as error:
            await self._end(session, record, error.slug.value)
            raise
        except trio.Cancelled:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + WRITING):
                await self._end(session, record, Slug.CANCELLED.value)
            raise
        except Exception:
            await self._end(session, record, Slug.INTERNAL.value)
            raise
        if not record.noted:
            await self._end(session, record, OK)
        return result

    async def _end(self, session: Session, record: Record, outcome: str) -> None:
        if record.tried:
            return
        trail = session.profile.audit
        if record.begun is not None:
            await trail.end(record.begun, outcome)
        elif self._audit is _Audit.AFTERWARDS:
            try:
                await trail.end(await trail.begin(session.entry(self._method.name), None), outcome)
            except StoreError as error:
                log.warning("a row of the audit log is missing", extra={"cause": error.message})
        else:
            await trail.note(session.entry(self._method.name), outcome)

    async def _confirm(self, session: Session, params: Any) -> str | None:
        summary = self._method.doc if self._summary is None else await self._summary(session, params)
        if summary is None:
            return None
        profile = session.profile

        def announce(event: t.ConfirmationEvent) -> None:
            profile.announce(Topic.CONFIRMATION, msgspec.to_builtins(event), event.confirmation.id)
            if event.type == "asked":
                session.notify(CONFIRMATION, {"confirmation": msgspec.to_builtins(event.confirmation)})

        return await session.peer.confirmations.ask(
            session.entry(self._method.name), profile.name, summary, session.gone, announce
        )


def _kind(method: Method) -> _Audit:
    if method.name in NOTED_BY_SERVICE:
        return _Audit.BY_SERVICE
    if method.name in ON_A_FULL_DISK:
        return _Audit.AFTERWARDS
    if method.scope is Scope.FULL:
        looks = method.name.rpartition(".")[2] in LOOKING
        return _Audit.ALIKE if looks and not method.confirm else _Audit.SINGLE
    return _Audit.ALIKE if method.mutates else _Audit.NONE
