"""Calls that wait until a person says yes: what is asked now, and the answers.

In memory only: what nobody has answered when the daemon stops was refused. Not who may
answer: the scope of `confirmations.answer` says that. Invariants: a question is answered at
most once; without a yes in time, or when its caller went away, the answer is no.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

import trio

from kezd.api import types as t
from kezd.errors import AccessError, RequestError, Slug
from kezd.runtime.audit import AuditEntry
from kezd.runtime.clock import Clock

MOST = 8
"""Questions at once: more than a person can look through."""
ID_BYTES = 8
MILLISECONDS = 1000


class _Outcome(Enum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    GONE = "gone"


@dataclass(slots=True)
class _Question:
    shown: t.Confirmation
    outcome: _Outcome = _Outcome.TIMED_OUT
    by: str = ""
    answered: trio.Event = field(default_factory=trio.Event)

    def answer(self, outcome: _Outcome, by: str) -> None:
        self.outcome = outcome
        self.by = by
        self.answered.set()


class Confirmations:
    """The questions of the whole daemon."""

    def __init__(self, clock: Clock, patience: float) -> None:
        """No question yet.

        Args:
            clock: for the times that are shown.
            patience: seconds until no answer is a no.
        """
        self._clock = clock
        self._patience = patience
        self._open: dict[str, _Question] = {}

    async def ask(
        self,
        caller: AuditEntry,
        profile: str,
        summary: str,
        gone: trio.Event,
        announce: Callable[[t.ConfirmationEvent], None],
    ) -> str:
        """Wait for a person's yes, and return which front-end it came through.

        Args:
            caller: whose call waits.
            profile: that it is about.
            summary: in plain words what will be signed, shown or given away.
            gone: set when the caller has hung up.
            announce: tells the front-ends; called when the question is asked and when it is settled.

        Raises:
            AccessError: `confirmation_refused`.
            RequestError: `busy` while too many wait.
        """
        if len(self._open) >= MOST:
            raise RequestError(Slug.BUSY, f"{MOST} calls wait for a confirmation already", hint="kez confirm")
        question = _Question(self._describe(caller, profile, summary))
        shown = question.shown
        self._open[shown.id] = question
        try:
            announce(t.ConfirmationEvent(type="asked", confirmation=shown))
            with trio.move_on_after(self._patience):
                await _wait(question, gone)
        finally:
            self._open.pop(shown.id, None)
            announce(t.ConfirmationEvent(type="settled", confirmation=shown, outcome=question.outcome.value))
        return _verdict(question, self._patience)

    def list(self, profile: str) -> list[t.Confirmation]:
        """What is asked on a profile now, oldest first."""
        return [one.shown for one in self._open.values() if one.shown.profile == profile]

    def answer(self, question_id: str, profile: str, by: str, *, allow: bool) -> None:
        """Settle a question.

        Args:
            question_id: of the question.
            profile: of the connection that answers; it sees no other profile's questions.
            by: which front-end answers, for the audit log.
            allow: yes or no.

        Raises:
            RequestError: `not_found`, also when it was settled before.
        """
        question = self._open.get(question_id)
        if question is None or question.shown.profile != profile:
            raise RequestError(
                Slug.NOT_FOUND, "nothing of that id waits for a confirmation", hint="kez confirm lists them"
            )
        del self._open[question_id]
        question.answer(_Outcome.ALLOWED if allow else _Outcome.REFUSED, by)

    def _describe(self, caller: AuditEntry, profile: str, summary: str) -> t.Confirmation:
        now = self._clock.now()
        return t.Confirmation(
            id=secrets.token_hex(ID_BYTES),
            profile=profile,
            method=caller.method,
            summary=summary,
            client=caller.client,
            pid=caller.pid,
            executable=caller.executable,
            token=caller.token,
            asked_at=int(now * MILLISECONDS),
            expires_at=int((now + self._patience) * MILLISECONDS),
        )


async def _wait(question: _Question, gone: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def notice() -> None:
            await gone.wait()
            if not question.answered.is_set():
                question.answer(_Outcome.GONE, "")

        nursery.start_soon(notice)
        await question.answered.wait()
        nursery.cancel_scope.cancel()


def _verdict(question: _Question, patience: float) -> str:
    match question.outcome:
        case _Outcome.ALLOWED:
            return question.by
        case _Outcome.REFUSED:
            why = "it was refused"
        case _Outcome.TIMED_OUT:
            why = f"nobody confirmed it within {patience:g} s"
        case _Outcome.GONE:
            why = "its caller went away"
        case _:
            assert_never(question.outcome)
    raise AccessError(Slug.CONFIRMATION_REFUSED, why)
