"""Everything of `graph.*`, and the schedule: what is found about people, with whether we follow them.

Puts the parts together and adds nothing of its own.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from kezd.api import types as t
from kezd.runtime.backoff import Uniform
from kezd.runtime.clock import Clock
from kezd.runtime.settings import ChannelsSettings
from kezd.services.claims.checking import Checker
from kezd.services.claims.following import Following
from kezd.services.claims.graph import Graph
from kezd.services.claims.people import People
from kezd.services.claims.service import Claims
from kezd.services.claims.shape import millis
from kezd.services.claims.watch import Watch, jittered
from kezd.services.ports import ChainWriter, Channels, Credentials, HomeDirectory, Owner, Publishers, Report
from kezd.store.database import Database


@dataclass(frozen=True, slots=True)
class Outside:
    """How claims reach other services.

    Attributes:
        channels: where proofs are looked for.
        publishers: where they are published.
        credentials: of accounts there.
    """

    channels: Channels
    publishers: Publishers
    credentials: Credentials


class Profiles:
    """What `graph.*` answers."""

    def __init__(self, graph: Graph, following: Following) -> None:
        self._graph = graph
        self._following = following

    async def verify(self, what: str, *, fresh: bool, report: Report) -> t.GraphVerifyResult:
        """See `Graph.verify`."""
        return await self._graph.verify(what, fresh=fresh, report=report)

    async def show(self, who: str, *, fresh: bool, report: Report) -> t.GraphProfile:
        """A person with all that they claim; raises as `Graph.verify`."""
        person, claims = await self._graph.show(who, fresh=fresh, report=report)
        follow = await self._following.of(person.genesis)
        chain, head = person.chain, person.chain.head
        return t.GraphProfile(
            primary=person.genesis.primary,
            current=chain.current.primary,
            handle=person.handle,
            chain_seq=head.seq if head else 0,
            chain_head=head.hash if head else None,
            alarm=None if person.alarm is None else "fork" if person.alarm == "fork" else "rollback",
            chain_trouble=person.trouble,
            claims=claims,
            more=len(chain.subjects) + len(chain.revoked_subjects) - len(claims),
            followed_since=None if follow is None else millis(follow.since),
            follow_broken=None if follow is None else follow.broken,
        )

    async def find(self, subject: str, server: str | None, *, report: Report) -> t.GraphFindResult:
        """See `Graph.find`."""
        return await self._graph.find(subject, server, report=report)

    async def follow(self, who: str, report: Report, *, dry_run: bool) -> t.Follow:
        """See `Following.follow`."""
        return await self._following.follow(who, report, dry_run=dry_run)

    async def unfollow(self, who: str, *, dry_run: bool) -> None:
        """See `Following.unfollow`."""
        await self._following.unfollow(who, dry_run=dry_run)

    async def follows(self) -> t.FollowsResult:
        """See `Following.list`."""
        return await self._following.list()


@asynccontextmanager
async def open_claims(
    db: Database,
    home: HomeDirectory,
    outside: Outside,
    chain: ChainWriter,
    own: Callable[[], Owner | None],
    clock: Clock,
    settings: ChannelsSettings,
    *,
    uniform: Uniform | None = None,
) -> AsyncIterator[tuple[Claims, Profiles]]:
    """Our claims and those of others, looked at again on a schedule for the length of the block.

    Args:
        db: the profile's database.
        home: asks home servers.
        outside: other services.
        chain: writes into our sigchain.
        own: tells our identity while it is active.
        clock: decides what is due.
        settings: how often.
        uniform: draws the jitter.
    """
    draw = uniform or secrets.SystemRandom().uniform
    checker = Checker(db, outside.channels, clock, settings)
    people = People(db, home, own)
    graph = Graph(people, checker, home, own, clock)

    def next_look() -> float:
        return jittered(clock.now(), settings.recheck_s, draw)

    following = Following(db, graph, people, own, clock, next_look)
    claims = Claims(
        db,
        checker,
        people,
        outside.channels,
        outside.publishers,
        outside.credentials,
        chain,
        home,
        own,
        clock,
    )
    watch = Watch(db, claims, graph, people, following, own, clock, next_look, draw)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        try:
            yield claims, Profiles(graph, following)
        finally:
            nursery.cancel_scope.cancel()
