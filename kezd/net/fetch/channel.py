"""What a channel is, and what the six have in common: text out of what a service returns.

A channel knows where one system's subjects publish, and returns what stands there; whether a proof is in it is for
`kezd.kez.verification`. Invariants: only places that the subject alone can write to are returned; a service that
could not be asked is a `FetchError`, never an empty answer.
"""

import json
import re
from html import unescape
from typing import Any, Protocol

from kezd.kez.identifiers import Identifier
from kezd.kez.verification import Place
from kezd.net.fetch.page import FetchError, Page

MAX_DEPTH = 32
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\b[^>]{0,256}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,4096}>")


class Channel(Protocol):
    """Where the subjects of one system publish."""

    system: str

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """What the subject has published that may hold a proof, most likely places first.

        Raises:
            RateLimitedError: the service wants to be asked later.
            FetchError: it could not be asked.
        """
        ...


def parse_json(page: Page) -> Any:
    """The JSON of a service's answer.

    Raises:
        FetchError: it is none: the service is broken, or it is another one.
    """
    try:
        return json.loads(page.text)
    except (ValueError, RecursionError) as error:
        raise FetchError(f"{page.url} does not answer with JSON") from error


def parse_object(page: Page) -> dict[str, Any]:
    """The JSON object of a service's answer.

    Raises:
        FetchError: it is none.
    """
    value = parse_json(page)
    if not isinstance(value, dict):
        raise FetchError(f"{page.url} answers with another JSON than it should")
    return value


def text_of_html(html: str) -> str:
    """The text of a fragment of HTML, one line a paragraph; linear in its length."""
    return unescape(_TAG.sub("", _BREAK.sub("\n", html)))


def texts_in(value: Any, depth: int = MAX_DEPTH) -> list[str]:
    """Every string inside a JSON value, in order."""
    if isinstance(value, str):
        return [value]
    if depth == 0:
        return []
    if isinstance(value, dict):
        return [text for member in value.values() for text in texts_in(member, depth - 1)]
    if isinstance(value, list):
        return [text for member in value for text in texts_in(member, depth - 1)]
    return []


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects of a list that a service returned; none when it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
