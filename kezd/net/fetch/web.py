"""Web sites: `https://<domain>/.well-known/kez.json`."""

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.page import Fetcher

PATH = "/.well-known/kez.json"


class WebChannel:
    """`web:<domain>`.

    Args:
        fetcher: fetches.
        base: URL of a domain, for a test or a site of one's own.
    """

    system = "web"

    def __init__(self, fetcher: Fetcher, base: str = "https://{domain}") -> None:
        self._fetcher = fetcher
        self._base = base

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        url = self._base.format(domain=subject.value) + PATH
        page = await self._fetcher.get(url, accept="application/json")
        return (Place(url, page.text),) if page.status == 200 else ()
