"""Following somebody: a signed snapshot of what was seen of them, and whether it still holds.

Looks when the watch or the person asks. Invariants: a snapshot is signed by us over all of it, and one whose
signature does not hold is broken; what could not be checked breaks nothing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.errors import KezError
from kezd.kez.handles import parse_handle
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import parse_any_primary
from kezd.kez.signing import FOLLOW_PREFIX
from kezd.kez.timestamps import format_timestamp
from kezd.kez.verification import Status
from kezd.runtime.clock import Clock
from kezd.services.claims.graph import Graph
from kezd.services.claims.people import People, Person
from kezd.services.claims.shape import event_body, millis
from kezd.services.ports import Owner, Report
from kezd.store.checks import forget_seen
from kezd.store.contacts import load_contact
from kezd.store.database import Database, Transaction
from kezd.store.follows import StoredFollow, drop_follow, list_follows, load_follow, save_follow

MOST: Final = 1000
"""People that are followed."""


class Following:
    """Whom we follow; what `graph.follow*` answers."""

    def __init__(
        self,
        db: Database,
        graph: Graph,
        people: People,
        own: Callable[[], Owner | None],
        clock: Clock,
        next_look: Callable[[], float],
    ) -> None:
        self._db = db
        self._graph = graph
        self._people = people
        self._own = own
        self._clock = clock
        self._next_look = next_look

    async def follow(self, who: str, report: Report, *, dry_run: bool) -> t.Follow:
        """Look at somebody and keep a signed snapshot; a new one when they were followed already.

        Raises:
            RequestError: `invalid_argument`, `not_found`, `not_registered`.
            UnavailableError: who it is could not be asked.
            TrustError: `chain_fork`, `chain_rollback`: what is there contradicts what was seen.
        """
        owner = self._own()
        if owner is None:
            raise RequestError(Slug.NOT_REGISTERED, "a snapshot is signed by an active identity")
        person, claims = await self._graph.show(who, fresh=True, report=report)
        if person.genesis == owner.primary:
            raise RequestError(Slug.INVALID_ARGUMENT, "that is you")
        if person.alarm is not None:
            raise TrustError(
                Slug.CHAIN_FORK if person.alarm == Status.FORK.value else Slug.CHAIN_ROLLBACK,
                hint="to trust what is there now: kez unfollow, then kez follow",
            )
        if len(await self._db.read(list_follows)) >= MOST:
            raise RequestError(Slug.TOO_LARGE, f"at most {MOST} people are followed")
        snapshot = _snapshot(person, claims, int(self._clock.now()))
        follow = StoredFollow(
            genesis=person.genesis,
            handle=person.handle,
            snapshot=canonicalize(snapshot),
            signature=owner.signer.follow_snapshot(snapshot).hex(),
            signer=owner.signer.public,
            since=self._clock.now(),
            broken=None,
            due_at=self._next_look(),
        )
        if not dry_run:
            await self._db.write(lambda tx: save_follow(tx, follow))
        return _show(follow)

    async def unfollow(self, who: str, *, dry_run: bool) -> None:
        """Follow no more, and forget what was seen of a stranger. `RequestError(NOT_FOUND)`."""
        follow = await self._named(who)

        def drop(tx: Transaction) -> None:
            drop_follow(tx, follow.genesis)
            if load_contact(tx, follow.genesis) is None:
                forget_seen(tx, follow.genesis)

        if not dry_run:
            await self._db.write(drop)

    async def list(self) -> t.FollowsResult:
        """Everybody whom we follow."""
        return t.FollowsResult(items=[_show(one) for one in await self._db.read(list_follows)])

    async def of(self, genesis: PublicKey) -> StoredFollow | None:
        """Whether and since when we follow somebody."""
        return await self._db.read(lambda tx: load_follow(tx, genesis))

    async def look_again(self, follow: StoredFollow) -> None:
        """Look whether a snapshot still holds, and raise the alarm once for each reason.

        Raises:
            UnavailableError: could not be asked; nothing is said.
        """
        broken = _signature_broken(follow)
        if broken is None:
            broken = await self._compare(follow)
        now = replace(follow, broken=broken or follow.broken, due_at=self._next_look())

        def keep(tx: Transaction) -> None:
            if load_follow(tx, follow.genesis) != follow:
                return  # followed anew, or no more, meanwhile
            save_follow(tx, now)
            if broken is not None and broken != follow.broken:
                event = t.ClaimEvent(
                    type="follow_broken", primary=follow.genesis.primary, handle=follow.handle, reason=broken
                )
                tx.emit(Topic.CLAIM.value, event_body(event))

        await self._db.write(keep)

    async def look_later(self, follow: StoredFollow, at: float) -> None:
        """It could not be looked at now."""

        def keep(tx: Transaction) -> None:
            if load_follow(tx, follow.genesis) == follow:
                save_follow(tx, replace(follow, due_at=at))

        await self._db.write(keep)

    async def _compare(self, follow: StoredFollow) -> str | None:
        """Why the snapshot holds no more."""
        seen = json.loads(follow.snapshot)
        person = await self._people.find(follow.handle or follow.genesis.primary)
        if person.genesis != follow.genesis:
            return f"{follow.handle} has another key now: {person.genesis.primary}"
        if person.alarm is not None:
            return f"their sigchain contradicts what was seen ({person.alarm})"
        seq, hash_ = seen["head"]["seq"], seen["head"]["hash"]
        events = person.chain.events
        if seq and (len(events) < seq or events[seq - 1].hash != hash_):
            return "their sigchain is another one than was seen"
        checks = await self._graph.check_all(person, fresh=True, report=_silent)
        now = {check.subject: check for check in checks}
        for subject, status in seen["claims"].items():
            check = now.get(subject)
            if status != Status.VALID.value or (check is not None and not Status(check.status).checked):
                continue
            if check is None or check.status != Status.VALID.value:
                return f"{subject} was valid and is {'gone' if check is None else check.status}"
        return None

    async def _named(self, who: str) -> StoredFollow:
        own = self._own()
        server = None if own is None else own.handle.server
        for follow in await self._db.read(list_follows):
            if _is_named(follow, who.strip(), server):
                return follow
        raise RequestError(Slug.NOT_FOUND, "you do not follow them", hint="kez follow --list")


def _is_named(follow: StoredFollow, who: str, server: str | None) -> bool:
    try:
        if ":" in who:
            return parse_any_primary(who) == follow.genesis
        return str(parse_handle(who, server)) == follow.handle
    except KezError:
        return False


def _snapshot(person: Person, claims: Sequence[t.ClaimCheck], now: int) -> dict[str, Any]:
    head = person.chain.head
    return {
        "primary": person.genesis.primary,
        "handle": person.handle,
        "head": {"seq": head.seq if head else 0, "hash": head.hash if head else None},
        "claims": {claim.subject: claim.status for claim in claims},
        "created_at": format_timestamp(now),
    }


def _signature_broken(follow: StoredFollow) -> str | None:
    try:
        follow.signer.verify(FOLLOW_PREFIX + follow.snapshot, bytes.fromhex(follow.signature))
    except (KezError, ValueError):
        return "the snapshot on this machine was changed: its signature does not hold"
    return None


def _show(follow: StoredFollow) -> t.Follow:
    seen = json.loads(follow.snapshot)
    return t.Follow(
        primary=follow.genesis.primary,
        handle=follow.handle,
        since=millis(follow.since) or 0,
        chain_seq=seen["head"]["seq"],
        chain_head=seen["head"]["hash"],
        claims=seen["claims"],
        broken=follow.broken,
    )


def _silent(_done: int, _total: int | None, _text: str, /) -> None:
    return None
