"""A web of its own: names, addresses, and an https server with a test authority, all on loopback.

For tests of what fetches and publishes: servers of these answer as the real services do.
"""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio
import trustme

from kezd.net.fetch.addresses import AddressRule
from kezd.net.fetch.page import Fetcher

Answer = tuple[int, list[tuple[str, str]], bytes]
LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Web:
    """An https server that answers for every name it has been given."""

    authority: trustme.CA
    port: int = 0
    pages: dict[str, Callable[[h11.Request], Answer]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def put(
        self, host: str, path: str, body: bytes | str, status: int = 200, *headers: tuple[str, str]
    ) -> None:
        """Answer `https://host:port/path` with that."""
        data = body.encode() if isinstance(body, str) else body
        self.names.setdefault(host, ["127.0.0.1"])
        self.pages[f"{host}{path}"] = lambda _request: (status, list(headers), data)

    def take(self, method: str, host: str, path: str, answer: object, status: int = 200) -> None:
        """Answer a request of another method with JSON."""
        self.names.setdefault(host, ["127.0.0.1"])
        data = b"" if answer is None else json.dumps(answer).encode()
        self.pages[f"{method} {host}{path}"] = lambda _request: (status, [], data)

    def url(self, host: str, path: str) -> str:
        """Of a page."""
        return f"https://{host}:{self.port}{path}"

    async def resolve(self, host: str, port: int) -> list[str]:
        """What the names lead to; a list that shrinks leads elsewhere the second time."""
        await trio.lowlevel.checkpoint()
        self.asked.append((host, str(port)))
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    def client_tls(self) -> ssl.SSLContext:
        """Believes the test authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    @asynccontextmanager
    async def fetcher(self, *, allowed: tuple[str, ...] = LOOPBACK, **more: Any) -> AsyncIterator[Fetcher]:
        """A fetcher that asks this web."""
        async with Fetcher.open(
            AddressRule.of(allowed),
            user_agent="kezd/test",
            tls=self.client_tls(),
            resolve_host=self.resolve,
            **more,
        ) as fetcher:
            yield fetcher

    async def serve(self, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        """One connection with one request."""
        connection = h11.Connection(h11.SERVER)
        request, body = None, b""
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some(65536)))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage) and request is not None:
                    await self._answer(connection, stream, request, body)
                    return
                else:
                    return
        except (trio.BrokenResourceError, h11.RemoteProtocolError, ssl.SSLError):
            return

    async def _answer(
        self,
        connection: h11.Connection,
        stream: "trio.SSLStream[trio.SocketStream]",
        request: h11.Request,
        content: bytes,
    ) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        self.requests.append(headers)
        self.bodies.append(content)
        method, path = request.method.decode(), request.target.decode()
        self.calls.append(f"{method} {path}")
        host = headers["host"].partition(":")[0]
        make = self.pages.get(f"{method} {host}{path}")
        if make is None and method == "GET":
            make = self.pages.get(host + path)
        status, more, body = make(request) if make else (404, [], b"nothing here")
        sent = [(name.encode(), value.encode()) for name, value in more]
        if status != 204:
            sent.append((b"content-length", str(len(body)).encode()))
        sent.append((b"connection", b"close"))
        await stream.send_all(connection.send(h11.Response(status_code=status, headers=sent)) or b"")
        for start in range(0, len(body), 65536):
            await stream.send_all(connection.send(h11.Data(data=body[start : start + 65536])) or b"")
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")


@asynccontextmanager
async def open_web(authority: trustme.CA, *names: str) -> AsyncIterator[Web]:
    """A web whose certificate is good for these names, for the length of the block."""
    web = Web(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)

    async def serve(stream: trio.SocketStream) -> None:
        await web.serve(trio.SSLStream(stream, context, server_side=True))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        web.port = listeners[0].socket.getsockname()[1]
        yield web
        nursery.cancel_scope.cancel()
