"""One bounded HTTP exchange with a server that is not trusted.

https only, but for this machine; no redirects, no cookies, no compression (a bomb), no
proxy from the environment; the body is capped while it is read and the whole exchange in
time. Knows nothing of handles or chains.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx
import trio

from kezd.errors import RequestError, Slug, TrustError, UnavailableError
from kezd.net.capped_body import is_compressed, parse_retry_after, read_capped
from kezd.runtime.urls import is_acceptable_url, is_loopback

EXCHANGE_SECONDS = 15.0
RETRY_AFTER_SECONDS_MAX = 3600
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Makes exchanges over a pool of connections."""

    def __init__(self, client: httpx.AsyncClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    @classmethod
    @asynccontextmanager
    async def open(cls, *, user_agent: str, seconds: float = EXCHANGE_SECONDS) -> AsyncIterator["Http"]:
        """Keep connections for the length of the block.

        Args:
            user_agent: as it is sent.
            seconds: longest exchange, from the connect to the body's end.
        """
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=4)
        tls = await trio.to_thread.run_sync(ssl.create_default_context)
        async with httpx.AsyncClient(
            verify=tls,
            limits=limits,
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        ) as client:
            yield cls(client, seconds)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request and its answer, of whatever status below 500 that is no redirect.

        Args:
            method: GET or POST.
            url: checked again here.
            max_bytes: cap of the answer's body.
            content: the request's JSON body.
            headers: beside the usual ones.

        Raises:
            RequestError: `invalid_argument`, such a URL is not asked.
            UnavailableError: `home_unreachable`, `rate_limited`, or `home_refused` for a redirect.
            TrustError: `home_lied` when the body is longer than agreed or compressed.
        """
        if not is_acceptable_url(url.partition("?")[0]):
            raise RequestError(
                Slug.INVALID_ARGUMENT, "a home server is asked over https (http only on this machine)"
            )
        sent = dict(headers or {})
        if content is not None:
            sent["Content-Type"] = "application/json"
        try:
            with trio.fail_after(self._seconds):
                async with self._client.stream(method, url, content=content, headers=sent) as response:
                    body = await _read(response, max_bytes)
        # UnicodeError: IDNA refuses some names only when they are resolved or shown
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, trio.TooSlowError) as error:
            host = urlsplit(url).hostname if isinstance(error, httpx.HTTPError) else "it"
            raise UnavailableError(
                Slug.HOME_UNREACHABLE, f"{host} does not answer: {_reason(error)}"
            ) from error
        answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        _check_status(answer)
        return answer


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    if is_compressed(response):
        raise TrustError(Slug.HOME_LIED, "the server compresses its answer, which nobody asked for")
    body = await read_capped(response, max_bytes)
    if body is None:
        raise TrustError(Slug.HOME_LIED, f"the server's answer is longer than {max_bytes} bytes")
    return body


def _reason(error: Exception) -> str:
    if isinstance(error, (trio.TooSlowError, httpx.TimeoutException)):
        return "it took too long"
    return type(error).__name__


def _check_status(answer: Answer) -> None:
    if answer.status == 429:
        seconds = parse_retry_after(answer.headers.get("retry-after", ""), 1, RETRY_AFTER_SECONDS_MAX)
        raise UnavailableError(Slug.RATE_LIMITED, retry_after_ms=seconds * 1000)
    if 300 <= answer.status < 400 and answer.status != 304:
        raise UnavailableError(Slug.HOME_REFUSED, "the server redirects, which is not followed")
    if answer.status >= 500 or answer.status < 200:
        raise UnavailableError(Slug.HOME_UNREACHABLE, f"the server failed (status {answer.status})")


def may_point_to(base: str, url: str) -> bool:
    """Whether a server asked at `base` may send us on to `url`.

    Only a server on this machine may point to this machine: else a stranger's record could
    make this peer knock at the doors behind its own firewall.
    """
    if not is_acceptable_url(url):
        return False
    try:
        here, there = httpx.URL(base).host, httpx.URL(url).host
    except (httpx.InvalidURL, UnicodeError):
        return False
    return not is_loopback(there) or is_loopback(here)
