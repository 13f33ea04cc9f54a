"""One page of a stranger's, fetched by the rules: https, public addresses, few redirects, little and soon.

Not here: where proofs are (the channels) and which addresses are public (`addresses`). Invariants: at most three
redirects, each checked like the first URL; at most 1 MiB and 10 s for all of it; no cookies, no compression, no
credentials in URLs; a header for one host never goes to another.
"""

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
import msgspec
import trio

from kezd.kez.errors import shown
from kezd.net.capped_body import is_compressed, parse_retry_after, read_capped
from kezd.net.fetch.addresses import AddressRule
from kezd.net.fetch.guard import ForbiddenAddressError, Resolve, open_client, resolve

MAX_BYTES = 1024 * 1024
MAX_REDIRECTS = 3
SECONDS = 10.0
CONNECTIONS = 16
URL_MAX = 2048
RETRY_AFTER = 60
"""Seconds that we stay away from a server that does not say how long."""
RETRY_AFTER_MAX = 3600
"""Seconds that a server may ask us to stay away."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")


class FetchError(Exception):
    """It could not be fetched; that says nothing about what is there."""


class RateLimitedError(FetchError):
    """The server wants to be asked later.

    Attributes:
        retry_after: seconds, at most an hour.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedUrlError(FetchError):
    """Such a URL is not fetched: not https, not public, or malformed."""


class TooLargeError(FetchError):
    """The page is larger than any proof needs."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a server answered, whatever its status.

    Attributes:
        url: of the last redirect.
        status: HTTP status below 500, no redirect, not 429.
        headers: names in lower case.
        body: at most 1 MiB.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


class Fetcher:
    """Fetches pages; `open` is the only way to one."""

    def __init__(self, client: httpx.AsyncClient, plain_hosts: frozenset[str]) -> None:
        self._client = client
        self._plain_hosts = plain_hosts

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        rule: AddressRule,
        *,
        user_agent: str,
        trusted: frozenset[str] = frozenset(),
        plain: frozenset[str] = frozenset(),
        tls: ssl.SSLContext | None = None,
        resolve_host: Resolve = resolve,
    ) -> AsyncIterator["Fetcher"]:
        """Fetch for the length of the block.

        Args:
            rule: which addresses may be connected to.
            user_agent: as it is sent.
            trusted: hosts that the person configured, wherever they are.
            plain: those of them that are asked over http.
            tls: what certificates are believed; None for the machine's.
            resolve_host: asks for addresses.
        """
        context = await trio.to_thread.run_sync(ssl.create_default_context) if tls is None else tls
        async with open_client(
            rule,
            user_agent=user_agent,
            tls=context,
            connections=CONNECTIONS,
            trusted=trusted,
            resolve_host=resolve_host,
        ) as client:
            yield cls(client, plain)

    async def get(self, url: str, *, accept: str = "*/*", headers: Mapping[str, str] | None = None) -> Page:
        """Get a page, following redirects.

        Args:
            url: where.
            accept: media types wanted.
            headers: further ones, sent to the first host only.

        Raises:
            RefusedUrlError: such a URL, or one that it redirects to, is not fetched.
            RateLimitedError: later.
            TooLargeError: more than 1 MiB.
            FetchError: no answer, or none that counts.
        """
        first = _host(self._checked(url))
        with trio.move_on_after(SECONDS):
            for _ in range(MAX_REDIRECTS + 1):
                own = headers if headers and _host(url) == first else {}
                answer = await self._exchange(url, {"Accept": accept, **own})
                if isinstance(answer, Page):
                    return answer
                url = self._checked(urljoin(url, answer))
            raise FetchError(f"{first} redirects more than {MAX_REDIRECTS} times")
        raise FetchError(f"{_host(url)} took longer than {SECONDS:.0f} s")

    async def send(
        self, method: str, url: str, body: object | None, *, headers: Mapping[str, str] | None = None
    ) -> Page:
        """Change something at a service, with JSON; a redirect is a failure, since a secret may be in it.

        Args:
            method: POST, PATCH, PUT or DELETE.
            url: where.
            body: to be encoded as JSON, None for no body.
            headers: further ones.

        Raises:
            RefusedUrlError: such a URL is not asked.
            RateLimitedError: later.
            FetchError: no answer, or none that counts; it may have been done nevertheless.
        """
        host = _host(self._checked(url))
        content = None if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json"} if content is not None else {}
        with trio.move_on_after(SECONDS):
            answer = await self._exchange(url, {**sent, **(headers or {})}, method, content)
            if isinstance(answer, Page):
                return answer
            raise FetchError(f"{host} redirects what was to be changed there")
        raise FetchError(f"{host} took longer than {SECONDS:.0f} s")

    def _checked(self, url: str) -> str:
        if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
            raise RefusedUrlError(f"that is not a URL: {shown(url)}")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise RefusedUrlError(f"that is not a URL: {shown(url)}") from error
        if not host or not _HOST.fullmatch(host) or parts.username is not None or port == 0:
            raise RefusedUrlError(f"that URL names no plain host: {shown(url)}")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in self._plain_hosts):
            raise RefusedUrlError(f"only https is fetched: {shown(url)}")
        return url

    async def _exchange(
        self, url: str, headers: Mapping[str, str], method: str = "GET", content: bytes | None = None
    ) -> Page | str:
        """One answer: a page, or where it redirects."""
        host = _host(url)
        try:
            async with self._client.stream(
                method, url, headers=headers, content=content, timeout=SECONDS
            ) as response:
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    return response.headers["location"]
                body = await _read(response, host)
        except ForbiddenAddressError as error:
            raise RefusedUrlError(str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.NetworkError, httpcore.TimeoutException,
                httpcore.ProtocolError, ssl.SSLError, UnicodeError) as error:  # fmt: skip
            raise FetchError(f"{host} does not answer: {type(error).__name__}") from error
        return _judged(Page(url, response.status_code, _names(response), body), host)


def _names(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _judged(page: Page, host: str) -> Page:
    limited = page.status == 403 and page.headers.get("x-ratelimit-remaining") == "0"
    if page.status == 429 or limited:
        raise RateLimitedError(
            f"{host} wants to be asked later",
            parse_retry_after(page.headers.get("retry-after", ""), RETRY_AFTER, RETRY_AFTER_MAX),
        )
    if page.status >= 500 or page.status < 200:
        raise FetchError(f"{host} failed with status {page.status}")
    return page


async def _read(response: httpx.Response, host: str) -> bytes:
    if is_compressed(response):
        raise FetchError(f"{host} compresses its answer, which nobody asked for")
    body = await read_capped(response, MAX_BYTES)
    if body is None:
        raise TooLargeError(f"the page of {host} has more than {MAX_BYTES} bytes")
    return body


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
