"""Requests that came by message, each in a task of its own, at most so many at a time.

The root of such a task: what no one expected is logged with its traceback and ends there, the
service goes on. Full means dropped: the asker's own time-out makes it ask again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


class TaskPool:
    """A bounded set of tasks that does not outlive its block."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, limit: int, grace: float) -> AsyncIterator["TaskPool"]:
        """Run tasks until the block ends; those under way get `grace` seconds."""
        self = cls(limit)
        try:
            yield self
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=grace)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> bool:
        """Start a task; False (and nothing started) when there are too many."""
        if len(self._tasks) >= self._limit:
            work.close()
            return False
        task = asyncio.create_task(_contained(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True


async def _contained(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a request failed")
