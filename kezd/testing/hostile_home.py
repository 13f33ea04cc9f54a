"""A home server that says whatever a test wants, on loopback, and keeps count of who asks.

Speaks HTTP/1.1 through h11, one request a connection. `Person` makes what honest owners
sign, so that a test can mix true parts into a false whole.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import Seed
from kezd.kez.registration import registration_payload
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain import (
    Chain,
    Members,
    add_nats_endpoint,
    encode_jsonl,
    event_from_envelope,
    event_payload,
    rotate,
)
from kezd.kez.signing import Signer
from kezd.kez.timestamps import format_timestamp

LONG_AGO = 1_700_000_000
NATS_URL = "nats://127.0.0.1:4222"


class Person:
    """Somebody with a key and a chain; `number` decides the key."""

    def __init__(self, number: int) -> None:
        self.signer = Signer(Seed(number.to_bytes(32, "big")))
        self.genesis = self.signer.public
        self.chain = Chain.empty(self.genesis)

    def with_inbox(self, url: str = NATS_URL, accepts: tuple[int, ...] = (2,)) -> "Person":
        """Say in the chain where mail goes."""
        return self.sign("add_endpoint", add_nats_endpoint(url, inbox_prefix(self.chain.current), accepts))

    def sign(self, op: str, members: Members, at: int = LONG_AGO) -> "Person":
        """Extend the chain."""
        payload = event_payload(self.chain, op, members, at)
        self.chain = self.chain.append(event_from_envelope(self.signer.sigchain_event(payload)))
        return self

    def rotate_to(self, number: int, at: int = LONG_AGO) -> "Person":
        """Hand the chain over to another key."""
        new = Signer(Seed(number.to_bytes(32, "big")))
        payload = event_payload(self.chain, "rotate", rotate(new.public), at)
        members = rotate(new.public, new.rotate_consent(payload))
        self.sign("rotate", members, at)
        self.signer = new
        return self

    def registration(self, handle: Handle) -> Envelope:
        """Sign that the handle is theirs."""
        return self.signer.registration(registration_payload(handle, self.signer.public, LONG_AGO))


@dataclass
class Page:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class HostileHome:
    """Pages by path; what is not there is an honest 404."""

    def __init__(self, server: str, url: str) -> None:
        self.server = server
        self.url = url
        self.pages: dict[str, Page] = {}
        self.asked: Counter[str] = Counter()
        self.posted: list[tuple[str, bytes]] = []
        self.hang = False
        """Take requests and never answer."""

    @classmethod
    @asynccontextmanager
    async def open(cls, server: str) -> AsyncIterator["HostileHome"]:
        """Serve for the length of the block."""
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        self = cls(server, f"http://127.0.0.1:{port}")
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, [listener])
            yield self
            nursery.cancel_scope.cancel()

    def chain_path(self, person: Person) -> str:
        """Path of a person's chain."""
        return f"/v1/sigchains/ed25519/{person.genesis.hex}"

    def record(self, person: Person, name: str, **changed: Any) -> dict[str, Any]:
        """The record that an honest home gives, with members changed."""
        handle = Handle(name, self.server)
        return {
            "handle": name,
            "fqhn": str(handle),
            "primary": person.genesis.primary,
            "sigchain_url": self.url + self.chain_path(person),
            "registered_at": format_timestamp(LONG_AGO),
            "registration": person.registration(handle).to_value(),
            **changed,
        }

    def says(self, path: str, value: Any, status: int = 200, **headers: str) -> None:
        """Answer JSON at a path."""
        self.pages[path] = Page(status, json.dumps(value).encode(), headers)

    def registers(self, person: Person, name: str, **changed: Any) -> None:
        """Show a record by handle and by primary."""
        record = self.record(person, name, **changed)
        self.says(f"/v1/u/{name}", record)
        self.says(f"/v1/by-primary/{person.genesis.primary}", record)

    def shows_chain(self, person: Person, chain: Chain | None = None) -> None:
        """Show a person's chain, or another in its place."""
        shown = person.chain if chain is None else chain
        tag = "none" if shown.head is None else shown.head.hash
        self.pages[self.chain_path(person)] = Page(200, encode_jsonl(shown), {"ETag": f'"{tag}"'})

    async def _serve(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            request, body = await _receive(connection, stream)
            path = request.target.decode()
            self.asked[path] += 1
            if request.method == b"POST":
                self.posted.append((path, body))
            if self.hang:
                await trio.sleep_forever()
            await _answer(connection, stream, request, self._page(path))
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return
        finally:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

    def _page(self, path: str) -> Page:
        missing = json.dumps({"error": "not_found", "message": "no", "hint": ""}).encode()
        return self.pages.get(path, Page(404, missing))


async def _receive(connection: h11.Connection, stream: trio.SocketStream) -> tuple[h11.Request, bytes]:
    request, body = None, b""
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65536))
            case h11.Request():
                request = event
            case h11.Data():
                body += bytes(event.data)
            case h11.EndOfMessage():
                assert request is not None
                return request, body
            case _:
                raise h11.RemoteProtocolError("the client went away")


async def _answer(
    connection: h11.Connection, stream: trio.SocketStream, request: h11.Request, page: Page
) -> None:
    head: dict[str, str] = {"Content-Length": str(len(page.body)), "Connection": "close", **page.headers}
    status = page.status
    tag = page.headers.get("ETag")
    asked_for = dict(request.headers).get(b"if-none-match", b"").decode()
    if status == 200 and tag is not None and tag == asked_for:
        status = 304
    data = connection.send(h11.Response(status_code=status, headers=list(head.items()))) or b""
    if status != 304:
        data += connection.send(h11.Data(data=page.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b"" if status != 304 else b""
    await stream.send_all(data)
