"""What others show or say of our own sigchain, compared with what we know of it.

Invariants: our chain is replaced by nothing but a longer one that begins with it; what
contradicts it is an alarm that stands until the person has looked.
"""

import logging
from dataclasses import replace

from kezd.api.types import CopyVerdict
from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.errors import ForkError, StaleError
from kezd.kez.heads import SeenHead
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Chain, compare
from kezd.services.identity.rotation import RotatingIdentity
from kezd.store.sigchains import replace_events

log = logging.getLogger(__name__)

TOLD_MAX = 100
"""Told heads that wait to be looked into; whoever tells more is not listened to."""


class WatchedIdentity(RotatingIdentity):
    """The part of `Identity` that hears about its chain from elsewhere."""

    async def take_copy(self, offered: Chain) -> CopyVerdict:
        """Compare a copy of our chain with ours; see `ports.ChainKeeper`."""
        async with self._one_at_a_time:
            row, known = self._existing(), self._chain
            if known is None or known.genesis != offered.genesis:
                raise RequestError(Slug.NOT_A_CONTACT, "that is not your sigchain")
            try:
                longer = compare(known, offered, origin=False)
            except ForkError as error:
                await self._contradicted(f"a copy of it differs from event {error.seq} on")
                raise TrustError(
                    Slug.CHAIN_FORK, f"our own sigchain has two versions from event {error.seq} on"
                ).after_change() from error
            except StaleError:
                return "older"
            if longer is known:
                return "same"
            await self._db.write(lambda tx: replace_events(tx, longer.genesis, longer.events))
            self._chain = longer
            self._checked = False  # the server may not have it: the resume loop sees to that
            await self._save(row, "chain")
            return "newer"

    def hear(self, teller: PublicKey, seen: SeenHead) -> None:
        """A contact has seen another head of our chain than we know; looked into in the background."""
        if len(self._told) < TOLD_MAX and (teller, seen) not in self._told:
            self._told.append((teller, seen))
            self._wake()

    async def dismiss_alarm(self) -> None:
        """The person has looked."""
        async with self._one_at_a_time:
            row = self._existing()
            if row.chain_alarm is not None:
                await self._save(replace(row, chain_alarm=None))

    async def _contradicted(self, what: str) -> None:
        """Raise the alarm about our own chain; the first one stands."""
        row = self._existing()
        log.warning("our own sigchain is contradicted")
        if row.chain_alarm is None:
            await self._save(replace(row, chain_alarm=what), "chain_alarm")
