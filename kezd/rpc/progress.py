"""`$/progress`: how far a long call is, told often enough and never in the way of the work.

A report takes the place of an earlier one that has not left yet. Invariants: two
notifications of one reporter are `INTERVAL` apart, except for the last, which always
leaves, before the call's answer; a client that reads slowly gets fewer, and nobody waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from kezd.api import types as t
from kezd.api.notifications import PROGRESS
from kezd.rpc.outbox import Outbox
from kezd.rpc.ports import Progress
from kezd.rpc.replies import encode_notice

INTERVAL = 0.1
"""Seconds between two notifications."""
TEXT_LENGTH = 200
"""Characters of the text that are passed on."""


class Progresses:
    """Makes the reporters of one connection's calls."""

    def __init__(self, nursery: trio.Nursery, outbox: Outbox, wrap: Callable[[bytes], bytes]) -> None:
        self._nursery = nursery
        self._outbox = outbox
        self._wrap = wrap

    @contextmanager
    def open(self, token: t.ProgressToken | None, unit: str) -> Iterator[Progress]:
        """A reporter for the length of the block; the last report has left at its end."""
        if token is None:
            yield _Silent()
            return
        reporter = _Reporter(token, unit, self._nursery, self._outbox, self._wrap)
        try:
            yield reporter
        finally:
            reporter.close()


class _Silent:
    """For a caller that wants no progress."""

    def report(self, done: int, total: int | None, text: str = "") -> None:
        """Nothing."""


class _Reporter:
    def __init__(
        self,
        token: t.ProgressToken,
        unit: str,
        nursery: trio.Nursery,
        outbox: Outbox,
        wrap: Callable[[bytes], bytes],
    ) -> None:
        self._token = token
        self._unit = unit
        self._nursery = nursery
        self._outbox = outbox
        self._wrap = wrap
        self._unsent: t.ProgressValue | None = None
        self._next_at = trio.current_time()
        self._later_runs = False

    def report(self, done: int, total: int | None, text: str = "") -> None:
        """See `ports.Progress`."""
        self._unsent = t.ProgressValue(done=done, total=total, unit=self._unit, text=text[:TEXT_LENGTH])
        if trio.current_time() >= self._next_at and not self._outbox.full:
            self._send()
        elif not self._later_runs:
            self._later_runs = True
            self._nursery.start_soon(self._later)

    def close(self) -> None:
        """Send the last one, however little time has gone by."""
        self._send()

    async def _later(self) -> None:
        """Send what could not go at once, if nothing newer or the end has not overtaken it."""
        while self._unsent is not None and not self._outbox.broken:
            if trio.current_time() < self._next_at:
                await trio.sleep_until(self._next_at)
            elif self._outbox.full:
                await self._outbox.wait_room()
            else:
                self._send()
        self._later_runs = False

    def _send(self) -> None:
        value, self._unsent = self._unsent, None
        if value is not None:
            self._next_at = trio.current_time() + INTERVAL
            notice = t.ProgressNotice(token=self._token, value=value)
            self._outbox.put(self._wrap(encode_notice(PROGRESS, notice)))
            self._outbox.flush()
