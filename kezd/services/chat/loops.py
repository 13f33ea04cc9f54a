"""Small things that the chat's loops share: a bell, patience with a full disk, no quiet end."""

import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import trio

from kezd.errors import Slug, StoreError
from kezd.runtime.backoff import Backoff, BackoffPolicy
from kezd.store.database import Database, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

DISK_FULL_PAUSE = BackoffPolicy(first=0.5, ceiling=30.0)
"""Seconds between attempts to write while the disk is full."""


class Bell:
    """Wakes one waiting task; a ring before the wait is not lost, several count as one."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake the waiter, or the next one."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for a ring since the last wait."""
        await self._event.wait()
        self._event = trio.Event()

    async def wait_at_most(self, seconds: float) -> bool:
        """Wait for a ring or that long; whether it rang."""
        with trio.move_on_after(seconds):
            await self.wait()
            return True
        return False


async def endless(loop: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a loop that never ends by itself.

    Raises:
        AssertionError: it ended, which is a bug.
    """
    await loop()
    raise AssertionError(f"the loop {getattr(loop, '__qualname__', loop)} returned")


async def write_patiently(db: Database, function: Callable[[Transaction], T]) -> T:
    """`db.write` that waits for room while the disk is full."""
    backoff = Backoff(DISK_FULL_PAUSE)
    while True:
        try:
            return await db.write(function)
        except StoreError as error:
            if error.slug is not Slug.DISK_FULL:
                raise
            delay = backoff.next_delay()
            log.warning("the disk is full, waiting", extra={"seconds": round(delay, 1)})
            await trio.sleep(delay)
