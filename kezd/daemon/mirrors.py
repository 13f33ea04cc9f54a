"""Copies of sigchains on the web, in the DNS and on nostr relays, as `services.sigchains` asks for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, assert_never

from kezd.daemon.channels import Web, asked, base_url, nostr_signer
from kezd.errors import RequestError, Slug
from kezd.kez.errors import KezError
from kezd.kez.handles import parse_server_name
from kezd.kez.identifiers import Identifier, parse_identifier
from kezd.net.fetch.dns import DnsChannel
from kezd.net.fetch.nostr import NostrChannel
from kezd.net.publish.nostr import NostrPublisher
from kezd.runtime.settings import ChannelsSettings
from kezd.services.ports import MirrorSource

PATH: Final = "/.well-known/kez-sigchain.jsonl"
LABEL: Final = "_kez-sigchain"
DOCUMENT: Final = "kez-sigchain"


class NetMirrors:
    """`ChainMirrors` of the services."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def fetch(self, source: MirrorSource, at: str) -> list[str]:
        """See `ChainMirrors`."""
        settings = self._web.settings
        match source:
            case "web":
                url = base_url(settings.web_base, "web_base", "domain").format(domain=_domain(at)) + PATH
                fetcher = await self._web.fetcher()
                page = await asked(fetcher.get(url, accept="application/jsonl"))
                return [page.text] if page.status == 200 else []
            case "dns":
                channel = DnsChannel(settings.nameservers, settings.nameserver_port, LABEL)
                places = await asked(channel.look(Identifier("dns", _domain(at))))
                return [place.text for place in places]
            case "nostr":
                found = await asked(NostrChannel(settings.nostr_relays).look(_npub(at)))
                return [place.text for place in found]
            case _:
                assert_never(source)

    async def publish_nostr(self, bundle: str, secret: str, now: int) -> tuple[str, str]:
        """See `ChainMirrors`."""
        signer = nostr_signer(secret)
        publisher = NostrPublisher(self._web.settings.nostr_relays, signer)
        event = await asked(publisher.publish_document(DOCUMENT, bundle, now))
        return signer.public.npub, f"nostr event {event}"


@asynccontextmanager
async def open_mirrors(settings: ChannelsSettings, version: str) -> AsyncIterator[NetMirrors]:
    """Mirrors for the length of the block."""
    async with AsyncExitStack() as stack:
        yield NetMirrors(Web(settings, version, stack))


def _domain(at: str) -> str:
    try:
        return parse_server_name(at)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"`at`: {error}", detail={"field": "at"}) from error


def _npub(at: str) -> Identifier:
    try:
        return parse_identifier(at if at.startswith("nostr:") else f"nostr:{at}")
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"`at`: {error}", detail={"field": "at"}) from error
