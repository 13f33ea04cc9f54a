"""The HTTP edge: replies, errors as JSON, capped bodies, and who is asking.

Routing is Starlette's; an endpoint here is a plain ASGI object around `async (scope, receive) ->
Reply`, without Request or Response objects, because a look-up costs less than they do. The edge
is the root of each request: what nobody expected becomes an incident id and one ERROR line.
"""

import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kezd.home.errors import HomeUnavailableError, HttpError, Slug
from kezd.home.gate import Network
from kezd.home.metrics import Metrics

log = logging.getLogger(__name__)

BODY_MAX = 64 * 1024
JSON = b"application/json"
CORS = (b"access-control-allow-origin", b"*")
INCIDENT_BYTES = 6

HeaderList = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, body, and headers beside content-length.

    What `rest` gives follows the body, without a content-length, as the reader takes it.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: HeaderList = ()
    rest: AsyncIterator[bytes] | None = None


def json_reply(status: int, value: object, *headers: tuple[bytes, bytes]) -> Reply:
    """A JSON answer."""
    return Reply(status, msgspec.json.encode(value), JSON, headers)


def error_reply(error: HttpError) -> Reply:
    """`{error, message, hint}` and what else this error says."""
    body = {"error": error.error.value, "message": error.message, "hint": error.hint, **error.members}
    headers = tuple((name.lower().encode(), value.encode()) for name, value in error.headers.items())
    return Reply(error.status, msgspec.json.encode(body), JSON, headers)


Handler = Callable[[Scope, Receive], Awaitable[Reply]]


class Endpoint:
    """One route as an ASGI app: runs the handler, turns its errors into answers, counts both."""

    def __init__(self, route: str, handler: Handler, metrics: Metrics, *always: tuple[bytes, bytes]) -> None:
        self._route = route
        self._handler = handler
        self._metrics = metrics
        self._always = always

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            reply = await self._handler(scope, receive)
        except HttpError as error:
            reply = error_reply(error)
        except HomeUnavailableError as error:
            log.warning("request not served", extra={"route": self._route, "reason": str(error)})
            reply = error_reply(
                HttpError(503, Slug.UNAVAILABLE, "a part of this server is away", "try again in a moment")
            )
        self._metrics.http(self._route, reply.status)
        await send_reply(scope, send, reply, self._always)


async def send_reply(
    scope: Scope, send: Send, reply: Reply, always: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Write a reply; HEAD gets the headers only."""
    headers = [
        (b"content-type", reply.content_type),
        *reply.headers,
        *always,
    ]
    if reply.rest is None:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    head_only = scope["method"] == "HEAD"
    if reply.rest is not None and not head_only:
        await send({"type": "http.response.body", "body": reply.body, "more_body": True})
        async for part in reply.rest:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": b"" if head_only else reply.body})


class Edge:
    """The outermost ASGI app of a listener."""

    def __init__(self, router: ASGIApp, metrics: Metrics, random_bytes: Callable[[int], bytes]) -> None:
        self._router = router
        self._metrics = metrics
        self._random_bytes = random_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            return
        scope["app"] = self
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._router(scope, receive, watched_send)
        except HTTPException as error:
            self._metrics.http("none", error.status_code)
            await send_reply(scope, send, _unrouted(error))
        except Exception:
            incident = self._random_bytes(INCIDENT_BYTES).hex()
            log.exception("request failed", extra={"incident": incident})
            self._metrics.http("none", 500)
            if not started:
                failure = HttpError(
                    500, Slug.INTERNAL, "something went wrong here", "tell the operator the incident id",
                    members={"incident": incident},
                )  # fmt: skip
                await send_reply(scope, send, error_reply(failure))


def _unrouted(error: HTTPException) -> Reply:
    headers = dict(error.headers or {})
    if error.status_code == 405:
        hint = f"allowed: {headers.get('Allow', 'nothing')}"
        return error_reply(
            HttpError(405, Slug.METHOD_NOT_ALLOWED, "that method is not served here", hint, headers=headers)
        )
    if error.status_code == 404:
        return error_reply(HttpError(404, Slug.NOT_FOUND, "nothing is here", "see GET /v1/server"))
    return error_reply(HttpError(error.status_code, Slug.BAD_REQUEST, error.detail, headers=headers))


async def read_body(scope: Scope, receive: Receive, limit: int = BODY_MAX) -> bytes:
    """The request's body, refused as soon as it is known or seen to be too long.

    Raises:
        HttpError: 413 too_large; 400 when the client went away in the middle.
    """
    announced = header(scope, b"content-length")
    if announced is not None and (not announced.isdigit() or int(announced) > limit):
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, Slug.BAD_REQUEST, "the body ended early")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that (lower-case) name."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for key, value in headers:
        if key == name:
            return value
    return None


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """Who is asking: the peer, or what a trusted proxy says about it.

    X-Forwarded-For is read from its right end, as far as the hops are trusted proxies; from
    anybody else it is ignored.
    """
    client: tuple[str, int] | None = scope.get("client")
    address = _without_mapping(client[0]) if client else ""
    if not trusted or not _is_in(address, trusted):
        return address
    values = [value for key, value in scope["headers"] if key == b"x-forwarded-for"]
    hops = [_without_mapping(hop.strip()) for value in values for hop in value.decode("latin-1").split(",")]
    for hop in reversed(hops):
        if not _is_address(hop):
            break
        address = hop
        if not _is_in(hop, trusted):
            break
    return address


def path_param(scope: Scope, name: str) -> str:
    """A parameter that the route took out of the path."""
    params: dict[str, Any] = scope["path_params"]
    return str(params[name])


def _without_mapping(text: str) -> str:
    """A listener on [::] sees IPv4 as ::ffff:a.b.c.d: one /64 for everybody, and in no proxy's network."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return text if mapped is None else str(mapped)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _too_large(limit: int) -> HttpError:
    return HttpError(413, Slug.TOO_LARGE, f"a body has at most {limit} bytes", "send less")
