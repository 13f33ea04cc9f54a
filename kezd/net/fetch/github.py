"""GitHub: public gists, then the README of the repository `<user>/<user>`.

Source: GitHub's REST API, "List gists for a user". A token raises the rate limit only, and goes to the API's host
alone. Invariant: a gist counts only when its owner is the subject.
"""

from typing import Any

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.channel import objects_in, parse_json
from kezd.net.fetch.page import Fetcher, FetchError, Page

GISTS = 100
FILES = 8
"""Files of gists that are fetched at most."""
FILE_BYTES = 256 * 1024


class GitHubChannel:
    """`github:<user>`.

    Args:
        fetcher: fetches.
        api: base URL of the REST API.
        raw: base URL of raw files.
        token: for the API, to be asked more often; empty for none.
    """

    system = "github"

    def __init__(
        self,
        fetcher: Fetcher,
        api: str = "https://api.github.com",
        raw: str = "https://raw.githubusercontent.com",
        token: str = "",
    ) -> None:
        self._fetcher = fetcher
        self._api = api.rstrip("/")
        self._raw = raw.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        user = subject.value
        places = [await self._file(url) for url in await self._gist_files(user)]
        readme = f"{self._raw}/{user}/{user}/HEAD/README.md"
        return tuple(place for place in [*places, await self._file(readme)] if place is not None)

    async def _gist_files(self, user: str) -> list[str]:
        url = f"{self._api}/users/{user}/gists?per_page={GISTS}"
        page = await self._fetcher.get(url, accept="application/vnd.github+json", headers=self._headers)
        if page.status == 404:
            return []
        if page.status != 200:
            raise FetchError(f"GitHub answers with status {page.status}")
        named = [file for gist in _gists(page, user) for file in _files(gist)]
        # A file that is called so is the likeliest; the order is kept otherwise, newest first.
        named.sort(key=lambda file: "kez" not in file[0].lower())
        return [url for _, url in named[:FILES]]

    async def _file(self, url: str) -> Place | None:
        page = await self._fetcher.get(url, accept="text/plain")
        return Place(url, page.text) if page.status == 200 else None


def _gists(page: Page, user: str) -> list[dict[str, Any]]:
    return [gist for gist in objects_in(parse_json(page)) if _owner(gist) == user]


def _owner(gist: dict[str, Any]) -> str:
    owner = gist.get("owner")
    login = owner.get("login") if isinstance(owner, dict) else None
    return login.lower() if isinstance(login, str) else ""


def _files(gist: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and URL of each file that is small enough."""
    files = gist.get("files")
    found = []
    for file in files.values() if isinstance(files, dict) else ():
        if isinstance(file, dict):
            name, url, size = file.get("filename"), file.get("raw_url"), file.get("size")
            if (
                isinstance(name, str)
                and isinstance(url, str)
                and isinstance(size, int)
                and size <= FILE_BYTES
            ):
                found.append((name, url))
    return found
