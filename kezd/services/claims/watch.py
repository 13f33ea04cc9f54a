"""Looking again on a schedule: our own claims, the people whom we follow, and a home that was not told yet.

Asks nothing of anybody else: without own claims and without follows no service hears of us. Invariant: what could
not be done is tried again later, and no failure of a service ends the watch.
"""

import logging
from collections.abc import Callable
from typing import Final

import trio

from kezd.errors import KezdError
from kezd.runtime.backoff import Backoff, BackoffPolicy, Uniform
from kezd.runtime.clock import Clock
from kezd.services.claims.following import Following
from kezd.services.claims.graph import Graph
from kezd.services.claims.people import People
from kezd.services.claims.service import Claims
from kezd.services.ports import Owner
from kezd.store.claims import hint_wanted, own_due, set_own_due
from kezd.store.database import Database
from kezd.store.follows import next_follow_due

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
AGAIN: Final = BackoffPolicy(first=60.0, ceiling=3600.0)
JITTER: Final = 0.2


def jittered(now: float, every: float, uniform: Uniform) -> float:
    """A time about `every` seconds from now: many peers do not ask a service at once."""
    return now + uniform(every * (1 - JITTER), every * (1 + JITTER))


class Watch:
    """The schedule; `run` is a task."""

    def __init__(
        self,
        db: Database,
        claims: Claims,
        graph: Graph,
        people: People,
        following: Following,
        own: Callable[[], Owner | None],
        clock: Clock,
        next_look: Callable[[], float],
        uniform: Uniform,
    ) -> None:
        self._db = db
        self._claims = claims
        self._graph = graph
        self._people = people
        self._following = following
        self._own = own
        self._clock = clock
        self._next_look = next_look
        self._troubled = Backoff(AGAIN, uniform)
        self._hint_at = 0.0

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            owner = self._own()
            if owner is not None:
                await self._own_claims(owner)
                await self._hint(owner)
                await self._follows()
            await trio.sleep(IDLE_SECONDS)

    async def _own_claims(self, owner: Owner) -> None:
        now = self._clock.now()
        due = await self._db.read(own_due)
        if due > now:
            return
        person = await self._people.own(owner)
        if due and person.chain.subjects:  # 0 at the first start: nothing was published yet, or a moment ago
            await self._graph.check_all(person, fresh=True, report=_silent)
        await self._db.write(lambda tx: set_own_due(tx, self._next_look()))

    async def _hint(self, owner: Owner) -> None:
        wanted, _ = await self._db.read(hint_wanted)
        if not wanted or self._clock.now() < self._hint_at:
            return
        await self._claims.tell_home(owner)
        wanted, _ = await self._db.read(hint_wanted)
        if wanted:
            self._hint_at = self._clock.now() + self._troubled.next_delay()
        else:
            self._troubled.reset()

    async def _follows(self) -> None:
        while True:
            follow = await self._db.read(next_follow_due)
            if follow is None or follow.due_at > self._clock.now():
                return
            try:
                await self._following.look_again(follow)
            except KezdError as error:
                log.info("a followed person could not be looked at", extra={"slug": error.slug.value})
                await self._following.look_later(follow, self._clock.now() + AGAIN.ceiling)


def _silent(_done: int, _total: int | None, _text: str, /) -> None:
    return None
