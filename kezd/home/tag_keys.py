"""The daily sender tags: who wrote, for the broker's permissions, but not for a copied disk.

A tag is an HMAC of the sender's key under a random key of the UTC day (home's clock). Today's and
tomorrow's tags are always both allowed, so that midnight interrupts nobody; keys live 15 days
(longer than any message in the stream), then they are deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kezd.home.store.ports import TagKeyStore
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import sender_tag
from kezd.runtime.clock import Clock

DAY_SECONDS = 86_400
KEPT_DAYS = 15
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class DatedTag:
    """A sender tag (16 hex) and the unix seconds of the day it belongs to."""

    tag: str
    valid_from: int
    valid_until: int


class TagKeys:
    """Day keys, made when first needed and shared through the store."""

    def __init__(self, store: TagKeyStore, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._keys: dict[int, bytes] = {}

    def today(self) -> int:
        """Days since 1970 of home's clock."""
        return int(self._clock.now() // DAY_SECONDS)

    async def tags(self, sender: PublicKey) -> tuple[DatedTag, DatedTag]:
        """Today's and tomorrow's tag of a sender."""
        day = self.today()
        return await self._dated(day, sender), await self._dated(day + 1, sender)

    async def recent_tags(self, sender: PublicKey) -> list[str]:
        """Every tag under which this sender may have messages waiting, tomorrow's included."""
        await self._key(self.today() + 1)
        return [sender_tag(key, sender) for key in self._keys.values()]

    async def roll(self) -> None:
        """Make the keys of today and tomorrow, read those of the last days, delete older ones."""
        day = self.today()
        await self._store.forget_before(day - KEPT_DAYS)
        self._keys = {
            number: key for number, key in (await self._store.days()).items() if number >= day - KEPT_DAYS
        }
        await self._key(day)
        await self._key(day + 1)

    async def _dated(self, day: int, sender: PublicKey) -> DatedTag:
        tag = sender_tag(await self._key(day), sender)
        return DatedTag(tag, day * DAY_SECONDS, (day + 1) * DAY_SECONDS)

    async def _key(self, day: int) -> bytes:
        key = self._keys.get(day)
        if key is None:
            key = await self._store.keep(day, self._random_bytes(KEY_BYTES))
            self._keys[day] = key
        return key
