"""Looking for one proof where its subject publishes, and remembering what was found.

Not here: whose chain it is (`people`) and what clients see (`shape`). Invariants: an attempt that could not check
leaves the last judgement as it was; a service that wants to be left alone is left alone, whoever asks.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import trio

from kezd.api.events import Topic
from kezd.errors import Slug, UnavailableError
from kezd.kez.envelope import encode_envelope
from kezd.kez.identifiers import Identifier
from kezd.kez.sigchain import Chain
from kezd.kez.verification import Judgement, Place, Status, judge
from kezd.runtime.clock import Clock
from kezd.runtime.settings import ChannelsSettings
from kezd.services.ports import Channels
from kezd.store.checks import StoredCheck, load_check, newest_check, save_check
from kezd.store.database import Database, Transaction

log = logging.getLogger(__name__)

TROUBLE_SECONDS: Final = 60.0
"""A service that did not answer is not asked again within this time, unless somebody wants it fresh."""
PLACE_LENGTH: Final = 2048
SHARED: Final = frozenset({"github", "bluesky", "nostr"})
"""Systems whose subjects are all asked for at one service."""


class Checker:
    """Looks and remembers."""

    def __init__(self, db: Database, channels: Channels, clock: Clock, settings: ChannelsSettings) -> None:
        self._db = db
        self._channels = channels
        self._clock = clock
        self._settings = settings
        self._rests: dict[str, float] = {}

    async def known(self, subject: Identifier, primary: str) -> StoredCheck | None:
        """What is known already; nothing is asked."""
        return await self._db.read(lambda tx: load_check(tx, str(subject), primary))

    async def newest(self, subject: Identifier) -> StoredCheck | None:
        """What is known of a subject, whoever it was looked for; nothing is asked."""
        return await self._db.read(lambda tx: newest_check(tx, str(subject)))

    def is_fresh(self, known: StoredCheck) -> bool:
        """Whether nobody has to look again yet."""
        now = self._clock.now()
        if known.retry_at > now:
            return True
        if known.trouble is not None:
            return now - known.tried_at < min(TROUBLE_SECONDS, self._settings.fresh_s)
        return known.checked_at is not None and now - known.checked_at < self._settings.fresh_s

    async def check(
        self, subject: Identifier, primary: str, chain: Chain | None, *, fresh: bool
    ) -> StoredCheck:
        """What is known of the claim of one primary, after looking when it is not fresh.

        Args:
            subject: what is claimed.
            primary: the first key of the chain.
            chain: verified; None when there is none.
            fresh: look whatever is known.
        """
        known = await self.known(subject, primary)
        if known is not None and ((not fresh and self.is_fresh(known)) or known.retry_at > self._clock.now()):
            return known
        try:
            places = await self.look(subject)
        except UnavailableError as error:
            return await self.note_trouble(subject, primary, error)
        return await self.keep(subject, primary, await self.judge(subject, primary, places, chain))

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """What the subject publishes.

        Raises:
            UnavailableError: `service_unreachable`, `rate_limited`.
        """
        if subject.system not in self._channels.systems:
            raise UnavailableError(
                Slug.SERVICE_UNREACHABLE, f"kezd does not know where {subject.system} subjects publish"
            )
        service, now = _service(subject), self._clock.now()
        rest = self._rests.get(service, 0.0) - now
        if rest > 0:
            raise UnavailableError(
                Slug.RATE_LIMITED,
                f"{service} wants to be left alone for {rest:.0f} s",
                retry_after_ms=int(rest * 1000) + 1,
            )
        try:
            return await self._channels.look(subject)
        except UnavailableError as error:
            if error.retry_after_ms is not None:
                self._rests[service] = now + error.retry_after_ms / 1000
            raise

    async def judge(
        self, subject: Identifier, primary: str | None, places: Sequence[Place], chain: Chain | None
    ) -> Judgement:
        """Judge in a thread: a page may hold hundreds of candidates."""
        return await trio.to_thread.run_sync(judge, subject, primary, places, self._clock.now(), chain)

    async def note_trouble(self, subject: Identifier, primary: str, error: UnavailableError) -> StoredCheck:
        """Remember that it could not be checked; what was known stands."""
        retry_at = 0.0 if error.retry_after_ms is None else self._clock.now() + error.retry_after_ms / 1000

        def keep(tx: Transaction) -> StoredCheck:
            known = load_check(tx, str(subject), primary) or _nothing(subject, primary)
            noted = replace(known, trouble=error.message, tried_at=tx.now, retry_at=retry_at)
            save_check(tx, noted)
            return noted

        return await self._db.write(keep)

    async def keep(self, subject: Identifier, primary: str, judgement: Judgement) -> StoredCheck:
        """Remember a judgement, and tell when a proof that was known came, changed or went."""
        claim = judgement.claim

        def keep(tx: Transaction) -> StoredCheck:
            known = load_check(tx, str(subject), primary)
            good = judgement.status is Status.VALID
            check = StoredCheck(
                subject=str(subject),
                primary=primary,
                status=judgement.status,
                reason=judgement.reason,
                place=judgement.where[:PLACE_LENGTH],
                proof=None if claim is None else encode_envelope(claim.envelope),
                checked_at=tx.now,
                last_good_at=tx.now if good else known.last_good_at if known else None,
                trouble=None,
                tried_at=tx.now,
                retry_at=0.0,
            )
            save_check(tx, check)
            if primary and (news := _news(known, check)) is not None:
                tx.emit(
                    Topic.CLAIM.value,
                    {
                        "type": news,
                        "primary": primary,
                        "subject": str(subject),
                        "handle": None,
                        "status": judgement.status.value,
                        "reason": judgement.reason,
                    },
                )
            return check

        return await self._db.write(keep)


def _service(subject: Identifier) -> str:
    return subject.system if subject.system in SHARED else str(subject)


def _nothing(subject: Identifier, primary: str) -> StoredCheck:
    return StoredCheck(
        subject=str(subject),
        primary=primary,
        status=None,
        reason="",
        place="",
        proof=None,
        checked_at=None,
        last_good_at=None,
        trouble=None,
        tried_at=0.0,
        retry_at=0.0,
    )


def _news(known: StoredCheck | None, check: StoredCheck) -> str | None:
    """What is worth an event: only what contradicts an earlier judgement."""
    if known is None or known.status is None:
        return None
    if check.status is Status.VALID:
        if known.status is not Status.VALID:
            return "verified"
        return "changed" if known.proof != check.proof else None
    if known.status is not Status.VALID:
        return None
    return "vanished" if check.status is Status.NOT_FOUND else "changed"
