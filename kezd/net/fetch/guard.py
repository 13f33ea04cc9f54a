"""Connections to hosts that a stranger named: resolved once, judged, and pinned to what was judged.

The TLS name stays the URL's host; only the address is ours. Invariants: no connection is made to an address
that the rule does not permit, whatever a name resolves to a second time; a name with any address that is not
permitted is refused whole, so that a mixed answer cannot be used to try.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx
import trio

from kezd.net.fetch.addresses import AddressRule

ADDRESSES = 8
"""Addresses of one name that are tried at most."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, in the order in which they are to be tried."""


class ForbiddenAddressError(Exception):
    """The host's address is none that a stranger may send us to."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the machine's resolver.

    Raises:
        OSError: the name has no address.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PinningBackend(httpcore.AsyncNetworkBackend):
    """httpcore's Trio backend behind the rule.

    Args:
        rule: what may be connected to.
        resolve_host: asks for addresses.
        trusted: hosts of the person's own configuration, which are connected to wherever they are.
    """

    def __init__(self, rule: AddressRule, resolve_host: Resolve, trusted: frozenset[str]) -> None:
        self._rule = rule
        self._resolve = resolve_host
        self._trusted = trusted
        self._inner = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first permitted address that answers.

        Raises:
            ForbiddenAddressError: an address is not permitted.
            httpcore.ConnectError: none answers.
        """
        last: Exception = OSError(f"{host} has no address")
        for address in await self.addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise httpcore.ConnectError(str(last)) from last

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses to try, all of them permitted.

        Raises:
            ForbiddenAddressError: one is not.
            httpcore.ConnectError: the name has none.
        """
        try:
            found = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address") from error
        if host not in self._trusted:
            for address in found:
                if not self._rule.permits(address):
                    raise ForbiddenAddressError(f"{host} leads to {address}, which is not public")
        return found[:ADDRESSES]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never.

        Raises:
            ForbiddenAddressError: always.
        """
        raise ForbiddenAddressError("no URL leads to a Unix socket")

    async def sleep(self, seconds: float) -> None:
        """As the inner backend."""
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx over connections of a `PinningBackend`."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; the body is read by the caller."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def open_client(
    rule: AddressRule,
    *,
    user_agent: str,
    tls: ssl.SSLContext,
    connections: int,
    trusted: frozenset[str],
    resolve_host: Resolve = resolve,
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that keeps to the rule, for the length of the block.

    Args:
        rule: what may be connected to.
        user_agent: as it is sent.
        tls: what certificates are believed.
        connections: at once at most.
        trusted: hosts of the person's own configuration.
        resolve_host: asks for addresses.
    """
    backend = PinningBackend(rule, resolve_host, trusted)
    async with (
        httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=connections, max_keepalive_connections=0, network_backend=backend
        ) as pool,
        httpx.AsyncClient(
            transport=GuardedTransport(pool),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        ) as client,
    ):
        yield client
