"""What a profile's database needs from time to time: old results and old events go.

In small steps, each a transaction that others may share, so that no writer waits for it. A
disk that is full is waited for; it frees pages for what comes. Not here: what is kept and
what goes (`kezd.store.retention`, `kezd.store.idempotency`).
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import trio

from kezd.errors import Slug, StoreError
from kezd.runtime.settings import DAYS, MIB, EventsSettings
from kezd.store import consumers, idempotency, retention
from kezd.store.database import Database, Transaction
from kezd.store.retention import Keep

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two rounds."""


def keep_of(settings: EventsSettings) -> Keep:
    """The section [events] in the store's units."""
    return Keep(count=settings.keep_count, seconds=settings.keep_days * DAYS, size=settings.keep_mb * MIB)


async def run(db: Database, settings: EventsSettings, pause: float = PAUSE) -> NoReturn:
    """Keep house for as long as the profile is open."""
    keep = keep_of(settings)
    while True:
        try:
            await tidy(db, keep)
        except StoreError as error:
            if error.slug is not Slug.DISK_FULL:
                raise
            log.warning("the disk is full, housekeeping waits", extra={"seconds": pause})
        await trio.sleep(pause)


async def tidy(db: Database, keep: Keep) -> int:
    """One round; how many events went.

    Raises:
        StoreError: `disk_full`, `store_failed`.
    """
    if await db.read(idempotency.is_due):
        await _repeat(db, idempotency.forget_old)
    if not await db.read(partial(retention.is_due, keep=keep)):
        return 0
    await _repeat(db, retention.measure)
    for name in await db.read(consumers.names):
        await _repeat(db, partial(consumers.skip, name=name))
    dropped = 0
    while went := await db.write(partial(retention.cut, keep=keep)):
        dropped += went
    if dropped:
        log.info("old events are gone", extra={"events": dropped})
    return dropped


async def _repeat(db: Database, step: Callable[[Transaction], bool]) -> None:
    while await db.write(step):
        pass
