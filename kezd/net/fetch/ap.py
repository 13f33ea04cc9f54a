"""ActivityPub: WebFinger, then the actor's summary and fields, then its newest public posts.

Source: RFC 7033, ActivityPub, and what Mastodon returns. Invariant: the actor is the one that the handle's own
host names, and it says that it has that name.
"""

from typing import Any
from urllib.parse import quote, urlsplit

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.channel import objects_in, parse_object, text_of_html
from kezd.net.fetch.page import Fetcher, FetchError

ACTIVITY = "application/activity+json"
LINKED_DATA = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
POSTS = 20
FIELDS = 16


class ActivityPubChannel:
    """`ap:<user>@<host>`.

    Args:
        fetcher: fetches.
        base: URL of a host, for a test or a server of one's own.
    """

    system = "ap"

    def __init__(self, fetcher: Fetcher, base: str = "https://{host}") -> None:
        self._fetcher = fetcher
        self._base = base

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        user, _, host = subject.value.partition("@")
        url = await self._actor_url(user, host)
        actor = None if url is None else await self._ask(url)
        if url is None or actor is None:
            return ()
        if str(actor.get("preferredUsername", "")).lower() != user:
            raise FetchError(f"{host} names another actor for {subject.value}")
        profile = [str(actor.get("summary") or ""), *_fields(actor)]
        places = [Place(url, "\n".join(text_of_html(text) for text in profile))]
        return (*places, *await self._posts(actor, url))

    async def _actor_url(self, user: str, host: str) -> str | None:
        account = quote(f"acct:{user}@{host}", safe="")
        url = f"{self._base.format(host=host)}/.well-known/webfinger?resource={account}"
        page = await self._fetcher.get(url, accept="application/jrd+json, application/json")
        if page.status in {404, 410}:
            return None
        if page.status != 200:
            raise FetchError(f"{host} answers WebFinger with status {page.status}")
        for link in objects_in(parse_object(page).get("links")):
            media = str(link.get("type", "")).replace(" ", "")
            if link.get("rel") == "self" and media in {ACTIVITY, LINKED_DATA.replace(" ", "")}:
                return str(link.get("href", ""))
        return None

    async def _ask(self, url: str) -> dict[str, Any] | None:
        page = await self._fetcher.get(url, accept=f"{ACTIVITY}, {LINKED_DATA}")
        if page.status in {404, 410}:
            return None
        if page.status != 200:
            raise FetchError(f"{url} answers with status {page.status}")
        return parse_object(page)

    async def _posts(self, actor: dict[str, Any], url: str) -> list[Place]:
        """The first page of the outbox; a host that shows none has simply no posts to look at."""
        outbox = actor.get("outbox")
        if not isinstance(outbox, str) or urlsplit(outbox).hostname != urlsplit(url).hostname:
            return []
        try:
            whole = await self._ask(outbox)
            first = (whole or {}).get("first")
            page = await self._ask(first) if isinstance(first, str) else whole
        except FetchError:
            return []  # the profile was read; many hosts show posts to nobody who is not known to them
        found = []
        for activity in objects_in((page or {}).get("orderedItems"))[:POSTS]:
            note = activity.get("object")
            if activity.get("type") == "Create" and isinstance(note, dict) and _by(note, actor):
                found.append(Place(str(note.get("id", "")), text_of_html(str(note.get("content") or ""))))
        return found


def _by(note: dict[str, Any], actor: dict[str, Any]) -> bool:
    return isinstance(note.get("attributedTo"), str) and note["attributedTo"] == actor.get("id")


def _fields(actor: dict[str, Any]) -> list[str]:
    """What stands in the table of a profile."""
    fields = objects_in(actor.get("attachment"))[:FIELDS]
    return [str(field.get("value") or "") for field in fields if field.get("type") == "PropertyValue"]
