"""nostr: the profile, notes and application data of an npub, asked of the configured relays.

Source: NIP-01 (REQ, EVENT, EOSE, CLOSED), NIP-78 (kind 30078). Invariants: an event counts only when its author
signed it and is the subject; a relay's bytes are capped; relays that fail are passed over as long as one answers.
"""

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionTimeout,
    DisconnectionTimeout,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from kezd.kez.errors import KezError
from kezd.kez.identifiers import Identifier
from kezd.kez.nostr_events import NostrEvent, read_event
from kezd.kez.nostr_keys import NostrKey
from kezd.kez.verification import Place
from kezd.net.fetch.page import FetchError

KINDS = (0, 1, 30078)
PROFILE = 0
EVENTS = 50
MESSAGES = 500
"""Messages of one relay that are read."""
MESSAGE_BYTES = 256 * 1024
SECONDS = 8.0
SUBSCRIPTION = "kez"
FAILURES = (
    OSError,
    trio.TooSlowError,
    trio.BrokenResourceError,
    HandshakeError,
    ConnectionClosed,
    ConnectionTimeout,
    DisconnectionTimeout,
    FetchError,
)
"""Of one relay (SSLError is an OSError)."""


class NostrChannel:
    """`nostr:<npub>`.

    Args:
        relays: `wss://` URLs of the person's configuration.
        tls: what certificates are believed; None for the machine's.
    """

    system = "nostr"

    def __init__(self, relays: Sequence[str], tls: ssl.SSLContext | None = None) -> None:
        self._relays = relays
        self._tls = tls

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """See `Channel`."""
        author = NostrKey.from_npub(subject.value)
        found: dict[bytes, NostrEvent] = {}
        failures: list[str] = []

        async def ask(relay: str) -> None:
            try:
                with trio.fail_after(SECONDS):
                    for event in await self._ask(relay, author):
                        found[event.id] = event
            except* FAILURES as group:
                failures.append(f"{relay}: {first_failure(group)}")

        async with trio.open_nursery() as nursery:
            for relay in self._relays:
                nursery.start_soon(ask, relay)
        if len(failures) == len(self._relays):
            raise FetchError(f"no relay answers ({'; '.join(failures) or 'none is configured'})")
        newest = sorted(found.values(), key=lambda event: event.created_at, reverse=True)
        return tuple(Place(f"nostr event {event.id.hex()}", _text(event)) for event in newest[:EVENTS])

    async def _ask(self, relay: str, author: NostrKey) -> list[NostrEvent]:
        async with open_socket(relay, self._tls) as socket:
            wanted = {"authors": [author.raw.hex()], "kinds": list(KINDS), "limit": EVENTS}
            await socket.send_message(json.dumps(["REQ", SUBSCRIPTION, wanted]))
            return await _events(socket, author)


@asynccontextmanager
async def open_socket(relay: str, tls: ssl.SSLContext | None) -> AsyncIterator[WebSocketConnection]:
    """A WebSocket to a relay, whose stream is closed whatever the relay does.

    Args:
        relay: `wss://` or, on a relay of one's own, `ws://`.
        tls: what certificates are believed; None for the machine's.

    Raises:
        OSError: it cannot be reached.
        HandshakeError: it speaks something else.
        FetchError: the URL is none of a relay.
    """
    parts = urlsplit(relay)
    host = parts.hostname or ""
    if parts.scheme not in {"ws", "wss"} or not host:
        raise FetchError("a relay's URL begins with wss://")
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    if parts.scheme == "wss":
        stream = await trio.open_ssl_over_tcp_stream(host, parts.port or 443, ssl_context=tls)
    else:
        stream = await trio.open_tcp_stream(host, parts.port or 80)
    async with stream, trio.open_nursery() as nursery:
        socket = await wrap_client_stream(
            nursery,
            stream,
            parts.netloc,
            parts.path or "/",
            max_message_size=MESSAGE_BYTES,
            message_queue_size=1,
        )
        yield socket
        nursery.cancel_scope.cancel()


def first_failure(group: BaseExceptionGroup[BaseException]) -> str:
    """What the first failure inside says, or is."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, FetchError) else type(error).__name__


async def _events(socket: WebSocketConnection, author: NostrKey) -> list[NostrEvent]:
    """Events until the relay says that these were all it has."""
    events: list[NostrEvent] = []
    for _ in range(MESSAGES):
        message = _parse(await socket.get_message())
        match message:
            case ["EVENT", str(), dict() as value]:
                try:
                    event = read_event(value)
                except KezError:
                    continue  # a relay's own fault: the next event may be good
                if event.author == author and event.kind in KINDS:
                    events.append(event)
            case ["EOSE", *_]:
                return events
            case ["CLOSED", *_]:
                raise FetchError("the relay closed the subscription")
            case _:
                continue
    raise FetchError("the relay sends without end")


def _parse(message: str | bytes) -> Any:
    try:
        return json.loads(message)
    except (ValueError, RecursionError) as error:
        raise FetchError("the relay does not send JSON") from error


def _text(event: NostrEvent) -> str:
    if event.kind != PROFILE:
        return event.content
    try:
        profile = json.loads(event.content)
    except (ValueError, RecursionError):
        return ""
    return str(profile.get("about") or "") if isinstance(profile, dict) else ""
