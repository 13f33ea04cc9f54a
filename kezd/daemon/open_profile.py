"""A profile whose vault is open: its database and services, for as long as that lasts.

Built in one nest. Inside it, chat and transport come and go with the identity being
active. Invariant: what only reads (history, contacts) works in every state of identity
and network.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, assert_never

import msgspec
import trio

from kezd.api.events import Topic
from kezd.api.types import LinkHealth, ReadResult, SendResult
from kezd.daemon import housekeeping
from kezd.daemon.adapters import Adapters
from kezd.daemon.channels import VaultCredentials
from kezd.daemon.event_log import EventLog, Views
from kezd.daemon.links import WatchedHome, link_health
from kezd.errors import RequestError, Slug, UnavailableError
from kezd.runtime.audit import AuditEntry
from kezd.runtime.bus import Bus, Event
from kezd.runtime.config import Config
from kezd.runtime.paths import ProfilePaths
from kezd.runtime.transport import LinkState, LinkStatus
from kezd.services.chat.chat import Chat
from kezd.services.chat.history import ChatHistory
from kezd.services.chat.news import ConversationNews
from kezd.services.claims import Claims, Outside, Profiles, open_claims
from kezd.services.contacts.service import Contacts
from kezd.services.identity.service import Identity
from kezd.services.identity.shape import ActiveIdentity
from kezd.services.ports import MessageTransport
from kezd.services.sigchains import Sigchains
from kezd.store.database import Database
from kezd.store.vault import Vault, VaultRecord

log = logging.getLogger(__name__)

NATS = "nats"
BEGINNING = 10.0
"""Seconds that a call waits for the chat of an active identity to open."""
STALLED_AFTER = 2.0
"""Seconds that one commit may take until the store is called stalled."""


class SilentChat(ChatHistory):
    """The chat while none is live: everything can be read; sending waits for a beginning chat, or says why not."""

    def __init__(
        self, db: Database, contacts: Contacts, identity: Identity, wait_live: Callable[[], Awaitable[Chat]]
    ) -> None:
        super().__init__(db, contacts)
        self._identity = identity
        self._wait_live = wait_live

    async def send(
        self, to: str, text: str, once: Any, *, dry_run: bool, audit: AuditEntry | None = None
    ) -> SendResult:
        """Send as soon as the chat is live, or say why it is not going to be."""
        return await (await self._live()).send(to, text, once, dry_run=dry_run, audit=audit)

    async def read(
        self,
        contact: str,
        up_to: int | None,
        once: Any,
        *,
        dry_run: bool,
        audit: AuditEntry | None = None,
    ) -> ReadResult:
        """Mark as soon as the chat is live, or say why it is not going to be."""
        return await (await self._live()).read(contact, up_to, once, dry_run=dry_run, audit=audit)

    async def _live(self) -> Chat:
        shown = await self._identity.show()
        match shown.state:
            case "superseded":
                raise UnavailableError(Slug.SUPERSEDED)
            case "none":
                raise RequestError(Slug.NO_IDENTITY)
            case "unconfirmed":
                raise RequestError(Slug.IDENTITY_PENDING)
            case "unregistered":
                raise RequestError(Slug.NOT_REGISTERED)
            case "active":  # just registered, just started: the chat opens in a moment
                with trio.move_on_after(BEGINNING):
                    return await self._wait_live()
                raise UnavailableError(Slug.OFFLINE)
            case _:
                assert_never(shown.state)


class OpenProfile:
    """The parts of an open profile. `open` is the only way to one."""

    def __init__(
        self,
        db: Database,
        home: WatchedHome,
        identity: Identity,
        contacts: Contacts,
        claims: Claims,
        graph: Profiles,
        sigchains: Sigchains,
        config: Config,
        adapters: Adapters,
    ) -> None:
        self.claims = claims
        self.graph = graph
        self.db = db
        self.home = home
        self.identity = identity
        self.contacts = contacts
        self.sigchains = sigchains
        self._config = config
        self._adapters = adapters
        self._silent = SilentChat(db, contacts, identity, self._wait_live)
        self.log = EventLog(db, adapters.clock, Views(identity, self._silent, self.links))
        self._live: Chat | None = None
        self._went_live = trio.Event()
        self._began = adapters.clock.now()
        self._stopping = trio.Event()
        self._transport: MessageTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        paths: ProfilePaths,
        vault: Vault,
        record: VaultRecord,
        config: Config,
        adapters: Adapters,
        version: str,
    ) -> AsyncIterator["OpenProfile"]:
        """Open everything, for the length of the block.

        Raises:
            StoreError: the database cannot be opened.
            AccessError: `vault_damaged`, the vault is not the database's.
        """
        clock = adapters.clock
        async with (
            adapters.open_database(paths.database, record.db_key, clock, Bus()) as db,
            adapters.open_home(_home_urls(config), version=version) as unwatched,
        ):
            home = WatchedHome(unwatched, clock)
            async with (
                Identity.open(db, vault, record, home, clock, config.home) as identity,
                Contacts.open(
                    db,
                    home,
                    lambda: (identity.primary, identity.server),
                    clock,
                    config.contacts,
                    key=lambda: identity.key,
                ) as contacts,
                adapters.open_channels(config.channels, version) as (channels, publishers),
                adapters.open_mirrors(config.channels, version) as mirrors,
                open_claims(
                    db,
                    home,
                    Outside(channels, publishers, VaultCredentials(vault)),
                    identity,
                    lambda: identity.active,
                    clock,
                    config.channels,
                ) as (claims, graph),
                trio.open_nursery() as nursery,
            ):
                sigchains = Sigchains(db, identity, contacts, mirrors, VaultCredentials(vault), clock)
                self = cls(db, home, identity, contacts, claims, graph, sigchains, config, adapters)
                nursery.start_soon(self._serve_active)
                nursery.start_soon(self._keep_house)
                nursery.start_soon(self._tell_news)
                try:
                    yield self
                finally:
                    self._stopping.set()

    @property
    def chat(self) -> Chat | SilentChat:
        """The live chat, or what stands in for it."""
        return self._silent if self._live is None else self._live

    async def _wait_live(self) -> Chat:
        while self._live is None:
            await self._went_live.wait()
        return self._live

    def link(self) -> LinkStatus:
        """How the transport's link stands; offline while there is none."""
        if self._transport is None:
            return LinkStatus(LinkState.OFFLINE, self._began)
        return self._transport.status()

    def links(self) -> list[LinkHealth]:
        """All of them."""
        now = self._adapters.clock.now()
        return [self.home.health(), link_health(NATS, self.link(), now), self._store_health(now)]

    def _store_health(self, now: float) -> LinkHealth:
        """The store is stalled while one commit takes far longer than a disk needs."""
        busy_since, waiting = self.db.writing_since, self.db.waiting_writes
        busy = 0.0 if busy_since is None else self._adapters.clock.monotonic() - busy_since
        if busy < STALLED_AFTER:
            return LinkHealth(name="store", state="online", since=int(self._began * 1000), queue=waiting)
        return LinkHealth(
            name="store",
            state="stalled",
            since=int((now - busy) * 1000),
            queue=waiting,
            last_error=f"the disk has not answered for {busy:.0f} s",
        )

    async def _keep_house(self) -> None:
        await _first_of(partial(housekeeping.run, self.db, self._config.events), self._stopping.wait)

    async def _tell_news(self) -> None:
        """Of conversations, in every state of the identity: contacts change without a live chat, too."""
        await _first_of(ConversationNews(self.db, self._silent).run, self._stopping.wait)

    async def _serve_active(self) -> None:
        """Transport and chat whenever there is an active identity."""
        while not self._stopping.is_set():
            await _first_of(self.identity.wait_active, self._stopping.wait)
            active = self.identity.active
            if active is not None and not self._stopping.is_set():
                await self._serve(active)

    async def _serve(self, active: ActiveIdentity) -> None:
        clock = self._adapters.clock
        async with self._adapters.open_transport(
            active.nats_url,
            active.signer,
            active.primary,
            active.installation_id,
            clock,
            takeover=active.takeover,
        ) as transport:
            self._transport = transport
            try:
                async with (
                    Chat.open(
                        self.db,
                        transport,
                        active.signer,
                        self.contacts,
                        clock,
                        self._config.chat,
                        restored_at=active.restored_at,
                        retired=self.identity.retired_signers(),
                        gossip=self.contacts.gossip(self.identity.own_head, self.identity.hear),
                    ) as self._live,
                    trio.open_nursery() as nursery,
                ):
                    self._went_live.set()
                    self._went_live = trio.Event()
                    nursery.start_soon(self._watch_link, transport)
                    await _first_of(partial(self.identity.wait_inactive, active.signer), self._stopping.wait)
                    nursery.cancel_scope.cancel()
            finally:
                self._live = None
                self._transport = None
        self._publish_link()

    async def _watch_link(self, transport: MessageTransport) -> None:
        """Announce each change of the link, and tell the identity what it learnt."""
        seen = transport.status()
        while True:
            self._publish_link()
            if seen.state is LinkState.ONLINE:
                await self.identity.session_began()
            elif seen.state is LinkState.SUPERSEDED:
                await self.identity.superseded(seen.last_error or "another installation took over")
            seen = await transport.wait_status_change(seen)

    def _publish_link(self) -> None:
        health = link_health(NATS, self.link(), self._adapters.clock.now())
        body = {"link": msgspec.to_builtins(health)}
        self.db.bus.publish([Event(0, Topic.LINK.value, body, key=NATS)])


def _home_urls(config: Config) -> Callable[[str], str]:
    """Where the home of a server name is asked, other than the person's own."""
    return lambda server: config.home.servers.get(server, f"https://{server}")


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    """Wait until one of them is over."""
    async with trio.open_nursery() as nursery:

        async def run(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(run, wait)
