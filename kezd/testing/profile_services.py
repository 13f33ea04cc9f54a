"""A profile's services on real stores and a real home, without a daemon around them.

Opens and closes like a daemon that is restarted; a crash is an exception that nobody
expects, raised by a directory in front of the real one.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Event, Head
from kezd.net.home import HomeClient
from kezd.runtime.bus import Bus
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.home_answers import FetchedChain, HandleRecord, HomeInfo
from kezd.runtime.settings import HomeSettings
from kezd.services.identity import Chance, Identity
from kezd.services.ports import HomeDirectory
from kezd.store.database import Database
from kezd.store.vault import Vault

PASSPHRASE = "correct horse"


class CrashError(Exception):
    """The process died here."""


class Point(Enum):
    """Where it dies: before the request left, or after the server had taken it."""

    BEFORE = "before"
    AFTER = "after"


class CrashingDirectory:
    """The real directory that dies at the n-th upload (registration or event), counted from 1."""

    def __init__(self, inner: HomeDirectory, at: int = 0, point: Point = Point.BEFORE) -> None:
        self._inner = inner
        self._at = at
        self._point = point
        self.sent: list[Envelope | Event] = []
        """Everything that was to be uploaded, in order."""

    async def info(self, server: str) -> HomeInfo:
        """As the inner one."""
        return await self._inner.info(server)

    async def info_at(self, url: str) -> HomeInfo:
        """As the inner one."""
        return await self._inner.info_at(url)

    def use(self, server: str, url: str) -> None:
        """As the inner one."""
        self._inner.use(server, url)

    async def lookup(self, handle: Handle) -> HandleRecord | None:
        """As the inner one."""
        return await self._inner.lookup(handle)

    async def lookup_primary(self, server: str, primary: PublicKey) -> HandleRecord | None:
        """As the inner one."""
        return await self._inner.lookup_primary(server, primary)

    async def fetch_chain(
        self, sigchain_url: str, genesis: PublicKey, etag: str | None = None
    ) -> FetchedChain | None:
        """As the inner one."""
        return await self._inner.fetch_chain(sigchain_url, genesis, etag)

    async def register(self, server: str, registration: Envelope) -> HandleRecord:
        """As the inner one, unless it dies."""
        self._sending(registration)
        record = await self._inner.register(server, registration)
        self._sent()
        return record

    async def find_by_proof(self, server: str, subject: Identifier) -> tuple[Handle, ...]:
        """As the inner one."""
        return await self._inner.find_by_proof(server, subject)

    async def put_profile(self, server: str, handle: Handle, profile: Envelope) -> None:
        """As the inner one."""
        await self._inner.put_profile(server, handle, profile)

    async def append_event(self, sigchain_url: str, genesis: PublicKey, event: Event) -> Head:
        """As the inner one, unless it dies."""
        self._sending(event)
        head = await self._inner.append_event(sigchain_url, genesis, event)
        self._sent()
        return head

    def _sending(self, upload: Envelope | Event) -> None:
        self.sent.append(upload)
        if len(self.sent) == self._at and self._point is Point.BEFORE:
            raise CrashError

    def _sent(self) -> None:
        if len(self.sent) == self._at and self._point is Point.AFTER:
            raise CrashError


@dataclass(frozen=True, slots=True)
class OpenProfile:
    """What one profile's services share."""

    db: Database
    vault: Vault
    identity: Identity
    directory: CrashingDirectory
    clock: Clock


class ProfileServices:
    """Opens profiles in a folder, again and again.

    Args:
        folder: one directory a profile in it.
        url: the home that is configured.
        servers: where the homes of other server names are.
        clock: the profiles' clock.
    """

    def __init__(
        self, folder: Path, url: str, servers: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.folder = folder
        self.url = url
        self._servers = servers
        self._clock = SystemClock() if clock is None else clock

    @asynccontextmanager
    async def open(
        self, name: str, *, crash_at: int = 0, point: Point = Point.BEFORE, chance: Chance | None = None
    ) -> AsyncIterator[OpenProfile]:
        """One profile's services, its vault made when there is none."""
        directory, clock = self.folder / name, self._clock
        vault = Vault(directory, "passphrase", name, {})
        record = await (vault.unlock(PASSPHRASE) if await vault.exists() else vault.create(PASSPHRASE))
        async with (
            HomeClient.open(self._base_url, version="test") as client,
            Database.open(directory / "peer.db", record.db_key, clock, Bus()) as db,
        ):
            asked = CrashingDirectory(client, crash_at, point)
            settings = HomeSettings(url=self.url)
            async with Identity.open(db, vault, record, asked, clock, settings, chance=chance) as identity:
                yield OpenProfile(db, vault, identity, asked, clock)

    def _base_url(self, server: str) -> str:
        return self._servers.get(server, f"https://{server}")
