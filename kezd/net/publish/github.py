"""A public gist with the file `kez.md`, by a token that may write gists.

Source: GitHub's REST API: "Get the authenticated user", "Create a gist", "Delete a gist".
"""

from kezd.kez.envelope import Envelope
from kezd.kez.identifiers import Identifier
from kezd.kez.proofs import encode_markdown
from kezd.net.fetch.channel import objects_in, parse_json, parse_object
from kezd.net.fetch.page import Fetcher
from kezd.net.publish.publisher import Published, check, check_account, text_of

SERVICE = "GitHub"
FILE = "kez.md"
GISTS = 30
"""Newest gists among which an earlier attempt is looked for."""


class GitHubPublisher:
    """One GitHub account.

    Args:
        fetcher: asks.
        token: with the scope `gist`.
        api: base URL of the REST API.
    """

    system = "github"

    def __init__(self, fetcher: Fetcher, token: str, api: str = "https://api.github.com") -> None:
        self._fetcher = fetcher
        self._api = api.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}

    async def publish(self, subject: Identifier, claim: Envelope, now: int) -> Published:
        """See `Publisher`."""
        me = await self._fetcher.get(f"{self._api}/user", accept="application/json", headers=self._headers)
        check(me, 200, service=SERVICE)
        check_account(text_of(parse_object(me), "login", SERVICE), subject, SERVICE)
        body = {
            "description": _description(subject, claim),
            "public": True,
            "files": {FILE: {"content": encode_markdown(claim)}},
        }
        made = await self._fetcher.send("POST", f"{self._api}/gists", body, headers=self._headers)
        check(made, 201, service=SERVICE)
        gist = parse_object(made)
        return Published(text_of(gist, "html_url", SERVICE), text_of(gist, "id", SERVICE))

    async def find(self, subject: Identifier, claim: Envelope) -> Published | None:
        """The gist of an earlier attempt whose answer was lost.

        Raises:
            PublishError: refused.
            FetchError: the service could not be asked.
        """
        url = f"{self._api}/gists?per_page={GISTS}"
        page = await self._fetcher.get(url, accept="application/json", headers=self._headers)
        check(page, 200, service=SERVICE)
        for gist in objects_in(parse_json(page)):
            if gist.get("description") == _description(subject, claim):
                return Published(text_of(gist, "html_url", SERVICE), text_of(gist, "id", SERVICE))
        return None

    async def remove(self, published: Published) -> None:
        """See `Publisher`."""
        url = f"{self._api}/gists/{published.handle}"
        check(await self._fetcher.send("DELETE", url, None, headers=self._headers), 204, 404, service=SERVICE)


def _description(subject: Identifier, claim: Envelope) -> str:
    """Names this very claim: the next one about the same subject has another signature."""
    return f"KEZ proof: {subject} is {claim.key} ({claim.sig[:16]})"
