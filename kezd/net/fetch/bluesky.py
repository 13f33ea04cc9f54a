"""Bluesky: the profile's description and the author's own posts, through the public AppView.

Source: the lexicons `app.bsky.actor.getProfile` and `app.bsky.feed.getAuthorFeed`. A post's text holds 300
characters, less than a proof, so the whole record is looked through, embeds and links too. Invariant: only records
whose author is the subject; what they repost is somebody else's.
"""

from typing import Any
from urllib.parse import quote

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.channel import objects_in, parse_object, texts_in
from kezd.net.fetch.page import Fetcher, FetchError

POSTS = 50
NOT_THERE = frozenset({400, 404})
"""An actor that the AppView does not know (or that was taken down) is a 400 `InvalidRequest`."""


class BlueskyChannel:
    """`bluesky:<handle>`.

    Args:
        fetcher: fetches.
        appview: base URL of an AppView.
    """

    system = "bluesky"

    def __init__(self, fetcher: Fetcher, appview: str = "https://public.api.bsky.app") -> None:
        self._fetcher = fetcher
        self._appview = appview.rstrip("/")

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        actor = quote(subject.value)
        profile = await self._ask(f"app.bsky.actor.getProfile?actor={actor}")
        if profile is None or profile.get("handle") != subject.value:
            return ()
        places = [Place(f"bluesky profile {subject.value}", str(profile.get("description") or ""))]
        feed = await self._ask(
            f"app.bsky.feed.getAuthorFeed?actor={actor}&limit={POSTS}&filter=posts_and_author_threads"
        )
        for item in objects_in((feed or {}).get("feed")):
            post = item.get("post")
            if isinstance(post, dict) and _author(post) == subject.value:
                places.append(Place(str(post.get("uri", "")), "\n".join(texts_in(post.get("record")))))
        return tuple(places)

    async def _ask(self, query: str) -> dict[str, Any] | None:
        page = await self._fetcher.get(f"{self._appview}/xrpc/{query}", accept="application/json")
        if page.status in NOT_THERE:
            return None
        if page.status != 200:
            raise FetchError(f"the AppView answers with status {page.status}")
        return parse_object(page)


def _author(post: dict[str, Any]) -> str:
    author = post.get("author")
    return str(author.get("handle", "")) if isinstance(author, dict) else ""
