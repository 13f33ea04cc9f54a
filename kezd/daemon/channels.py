"""Channels and publishers as the services want them, over `kezd.net`, opened when somebody first asks.

Adapts, decides nothing. Invariants: without a call nothing is connected to; a failure of a service is
`UnavailableError`, of a credential `AccessError`, and neither holds a secret.
"""

import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

import trio

from kezd.errors import AccessError, RequestError, Slug, UnavailableError
from kezd.kez.envelope import Envelope
from kezd.kez.errors import KezError
from kezd.kez.identifiers import Identifier
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.verification import Place
from kezd.net.fetch.addresses import AddressRule
from kezd.net.fetch.ap import ActivityPubChannel
from kezd.net.fetch.bluesky import BlueskyChannel
from kezd.net.fetch.channel import Channel
from kezd.net.fetch.dns import DnsChannel
from kezd.net.fetch.github import GitHubChannel
from kezd.net.fetch.nostr import NostrChannel
from kezd.net.fetch.page import Fetcher, FetchError, RateLimitedError
from kezd.net.fetch.web import WebChannel
from kezd.net.publish.bluesky import BlueskyPublisher
from kezd.net.publish.github import GitHubPublisher
from kezd.net.publish.mastodon import MastodonPublisher
from kezd.net.publish.nostr import NostrPublisher
from kezd.net.publish.publisher import Published, Publisher, PublishError
from kezd.runtime.settings import ChannelsSettings
from kezd.services.ports import PublishedProof
from kezd.store.vault import Vault

SYSTEMS: Final = frozenset({"dns", "github", "nostr", "bluesky", "ap", "web"})
PUBLISHING: Final = frozenset({"github", "nostr", "bluesky", "ap"})
GITHUB_API: Final = "api.github.com"
ABOUT: Final = "https://kez.lat"
T = TypeVar("T")


class Web:
    """One fetcher for all that is fetched, made when it is first needed."""

    def __init__(self, settings: ChannelsSettings, version: str, stack: AsyncExitStack) -> None:
        self.settings = settings
        self._version = version
        self._stack = stack
        self._once = trio.Lock()
        self._fetcher: Fetcher | None = None

    async def fetcher(self) -> Fetcher:
        """The fetcher.

        Raises:
            RequestError: `bad_config`.
        """
        async with self._once:
            if self._fetcher is None:
                tls = await trio.to_thread.run_sync(ssl.create_default_context)
                self._fetcher = await self._stack.enter_async_context(
                    Fetcher.open(
                        _rule(self.settings),
                        user_agent=f"kezd/{self._version}",
                        trusted=_own_hosts(self.settings),
                        tls=tls,
                    )
                )
            return self._fetcher


def _rule(settings: ChannelsSettings) -> AddressRule:
    try:
        return AddressRule.of(settings.allow_networks)
    except ValueError as error:
        raise RequestError(Slug.BAD_CONFIG, f"channels.allow_networks: {error}") from error


def _own_hosts(settings: ChannelsSettings) -> frozenset[str]:
    """Hosts that the person configured, other than the public services that are the defaults."""
    plain = ChannelsSettings()
    names = ("github_api", "github_raw", "bluesky_appview", "bluesky_pds", "ap_base", "web_base")
    urls = [getattr(settings, name) for name in names if getattr(settings, name) != getattr(plain, name)]
    hosts = {urlsplit(url).hostname or "" for url in urls}
    return frozenset(host for host in hosts if re.fullmatch(r"[a-z0-9.-]+", host))


async def asked(call: Awaitable[T]) -> T:
    """What a service said, or an error that a caller can be told."""
    try:
        return await call
    except RateLimitedError as error:
        raise UnavailableError(
            Slug.RATE_LIMITED, str(error), retry_after_ms=error.retry_after * 1000
        ) from error
    except FetchError as error:
        raise UnavailableError(Slug.SERVICE_UNREACHABLE, str(error)) from error
    except PublishError as error:
        raise AccessError(Slug.CREDENTIAL_REFUSED, str(error)) from error


class NetChannels:
    """`Channels` of the services."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._made: dict[str, Channel] = {}

    @property
    def systems(self) -> frozenset[str]:
        """That can be looked at."""
        return SYSTEMS

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channels`."""
        if subject.system not in self._made:
            self._made[subject.system] = await self._make(subject.system)
        return await asked(self._made[subject.system].look(subject))

    async def _make(self, system: str) -> Channel:
        settings = self._web.settings
        if system == "dns":
            return DnsChannel(settings.nameservers, settings.nameserver_port)
        if system == "nostr":
            return NostrChannel(settings.nostr_relays)
        fetcher = await self._web.fetcher()
        makers: dict[str, Callable[[], Channel]] = {
            "github": lambda: GitHubChannel(
                fetcher, settings.github_api, settings.github_raw, github_token(settings, os.environ)
            ),
            "bluesky": lambda: BlueskyChannel(fetcher, settings.bluesky_appview),
            "ap": lambda: ActivityPubChannel(fetcher, base_url(settings.ap_base, "ap_base", "host")),
            "web": lambda: WebChannel(fetcher, base_url(settings.web_base, "web_base", "domain")),
        }
        return makers[system]()


def base_url(base: str, name: str, placeholder: str) -> str:
    """A URL with at most that placeholder.

    Raises:
        RequestError: `bad_config`.
    """
    try:
        base.format(**{placeholder: "example.com"})
    except (KeyError, IndexError, ValueError) as error:
        raise RequestError(Slug.BAD_CONFIG, f"channels.{name} may hold {{{placeholder}}} alone") from error
    return base


class NetPublishers:
    """`Publishers` of the services."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @property
    def systems(self) -> frozenset[str]:
        """That can be published at."""
        return PUBLISHING

    async def publish(
        self, subject: Identifier, claim: Envelope, secret: str, now: int, *, again: bool
    ) -> PublishedProof:
        """See `Publishers`."""
        publisher = await self._make(subject, secret)
        if again and isinstance(publisher, GitHubPublisher):
            found = await asked(publisher.find(subject, claim))
            if found is not None:
                return PublishedProof(found.url, found.handle)
        done = await asked(publisher.publish(subject, claim, now))
        return PublishedProof(done.url, done.handle)

    async def remove(self, subject: Identifier, published: PublishedProof, secret: str) -> None:
        """See `Publishers`."""
        publisher = await self._make(subject, secret)
        await asked(publisher.remove(Published(published.url, published.handle)))

    async def _make(self, subject: Identifier, secret: str) -> Publisher:
        settings = self._web.settings
        match subject.system:
            case "nostr":
                return NostrPublisher(settings.nostr_relays, nostr_signer(secret))
            case "github":
                return GitHubPublisher(await self._web.fetcher(), secret, settings.github_api)
            case "bluesky":
                return BlueskyPublisher(await self._web.fetcher(), secret, ABOUT, settings.bluesky_pds)
            case "ap":
                host, base = subject.value.partition("@")[2], base_url(settings.ap_base, "ap_base", "host")
                return MastodonPublisher(await self._web.fetcher(), secret, host, base)
            case system:
                raise RequestError(Slug.INVALID_ARGUMENT, f"nothing is published at {system}")


def nostr_signer(secret: str) -> NostrSigner:
    """The key behind a credential. `AccessError(CREDENTIAL_REFUSED)`."""
    try:
        return NostrSigner(NostrSecret.from_nsec(secret))
    except KezError:
        # The reason may name parts of the secret.
        raise AccessError(Slug.CREDENTIAL_REFUSED, "a nostr credential is written nsec1…") from None


class VaultCredentials:
    """`Credentials` of the services."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def names(self) -> list[str]:
        """Of all."""
        return sorted(self._kept())

    def get(self, name: str) -> str | None:
        """The secret of an account."""
        return self._kept().get(name)

    async def put(self, name: str, secret: str | None) -> None:
        """Keep one, or forget it."""
        try:
            await self._vault.change(lambda record: record.with_secret(name, secret))
        except ValueError as error:
            raise RequestError(Slug.TOO_LARGE, str(error)) from error

    def _kept(self) -> Mapping[str, str]:
        record = self._vault.record
        return {} if record is None else record.secrets


def github_token(settings: ChannelsSettings, environ: Mapping[str, str]) -> str:
    """GITHUB_TOKEN, which GitHub answers more often; it goes to GitHub's own API and to nobody else's."""
    if urlsplit(settings.github_api).hostname != GITHUB_API:
        return ""
    return environ.get("GITHUB_TOKEN", "")


@asynccontextmanager
async def open_channels(
    settings: ChannelsSettings, version: str
) -> AsyncIterator[tuple[NetChannels, NetPublishers]]:
    """Channels and publishers for the length of the block."""
    async with AsyncExitStack() as stack:
        web = Web(settings, version, stack)
        yield NetChannels(web), NetPublishers(web)
