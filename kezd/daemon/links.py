"""The links as health shows them, and a home directory that remembers how it went.

Watches, decides nothing: nothing is retried or refused because of what is noted here.
"""

from collections.abc import Awaitable
from typing import TypeVar

from kezd.api.types import LinkHealth
from kezd.errors import KezdError, Slug, UnavailableError
from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Event, Head
from kezd.runtime.clock import Clock
from kezd.runtime.home_answers import FetchedChain, HandleRecord, HomeInfo
from kezd.runtime.transport import LinkState, LinkStatus
from kezd.services.ports import HomeDirectory

T = TypeVar("T")

SILENCE_LIMIT = 90.0
"""Seconds after which a link that calls itself online and hears nothing is not believed: it pings every 20."""


class WatchedHome:
    """A `HomeDirectory` that notes whether the last exchange with the person's own home worked.

    Which home that is, `use` told; until then every exchange counts.
    """

    def __init__(self, home: HomeDirectory, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._state = LinkState.CONNECTING
        self._since = clock.now()
        self._answered_at: float | None = None
        self._last_error: str | None = None
        self._own_server: str | None = None
        self._own_chains: str | None = None

    def health(self) -> LinkHealth:
        """The link `home`: `connecting` until somebody asked it something."""
        status = LinkStatus(self._state, self._since, self._answered_at, self._last_error)
        return link_health("home", status, self._clock.now())

    def use(self, server: str, url: str) -> None:
        """See `HomeDirectory`."""
        self._own_server = server
        self._home.use(server, url)

    async def info(self, server: str) -> HomeInfo:
        """See `HomeDirectory`."""
        info = await self._noted(self._home.info(server), server)
        if server == self._own_server:
            self._own_chains = info.sigchain_url
        return info

    async def info_at(self, url: str) -> HomeInfo:
        """See `HomeDirectory`."""
        info = await self._noted(self._home.info_at(url))
        self._own_chains = info.sigchain_url
        return info

    async def lookup(self, handle: Handle) -> HandleRecord | None:
        """See `HomeDirectory`."""
        return await self._noted(self._home.lookup(handle), handle.server)

    async def lookup_primary(self, server: str, primary: PublicKey) -> HandleRecord | None:
        """See `HomeDirectory`."""
        return await self._noted(self._home.lookup_primary(server, primary), server)

    async def register(self, server: str, registration: Envelope) -> HandleRecord:
        """See `HomeDirectory`."""
        return await self._noted(self._home.register(server, registration), server)

    async def fetch_chain(
        self, sigchain_url: str, genesis: PublicKey, etag: str | None = None
    ) -> FetchedChain | None:
        """See `HomeDirectory`."""
        fetching = self._home.fetch_chain(sigchain_url, genesis, etag)
        return await (self._noted(fetching) if sigchain_url == self._own_chains else fetching)

    async def find_by_proof(self, server: str, subject: Identifier) -> tuple[Handle, ...]:
        """See `HomeDirectory`."""
        return await self._noted(self._home.find_by_proof(server, subject), server)

    async def put_profile(self, server: str, handle: Handle, profile: Envelope) -> None:
        """See `HomeDirectory`."""
        await self._noted(self._home.put_profile(server, handle, profile), server)

    async def append_event(self, sigchain_url: str, genesis: PublicKey, event: Event) -> Head:
        """See `HomeDirectory`."""
        return await self._noted(self._home.append_event(sigchain_url, genesis, event))

    async def _noted(self, exchange: Awaitable[T], server: str | None = None) -> T:
        if server is not None and self._own_server not in (None, server):
            return await exchange  # a friend's home: whether it answers says nothing of ours
        try:
            answer = await exchange
        except UnavailableError as error:
            unreachable = error.slug is Slug.HOME_UNREACHABLE
            self._note(LinkState.OFFLINE if unreachable else LinkState.ONLINE, error.message)
            raise
        except KezdError:
            self._note(LinkState.ONLINE, None)
            raise
        self._note(LinkState.ONLINE, None)
        return answer

    def _note(self, state: LinkState, error: str | None) -> None:
        now = self._clock.now()
        if state is not self._state:
            self._state, self._since = state, now
        if state is LinkState.ONLINE:
            self._answered_at = now
        if error is not None:
            self._last_error = error


def link_health(name: str, status: LinkStatus, now: float) -> LinkHealth:
    """A link for `daemon.health`. Times are unix seconds here, milliseconds there."""
    received = status.last_received_at
    return LinkHealth(
        name=name,
        state=status.state.value,
        since=int(status.since * 1000),
        last_received_age_ms=None if received is None else max(0, int((now - received) * 1000)),
        queue=status.queue_length,
        last_error=status.last_error,
    )


def is_heard(status: LinkStatus, now: float) -> bool:
    """Whether a link does what it says: one that is online has heard something lately.

    Links notice silence themselves within seconds; this is for the case that they do not.
    """
    if status.state is not LinkState.ONLINE:
        return True
    heard = status.since if status.last_received_at is None else max(status.since, status.last_received_at)
    return now - heard <= SILENCE_LIMIT
