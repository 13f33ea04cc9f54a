"""A nostr relay on loopback: keeps what it is sent, shows what is asked for, and misbehaves on demand.

NIP-01 as far as channels, publishers and mirrors need it: EVENT and OK, REQ by authors and kinds, EOSE.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from kezd.kez.nostr_events import read_event


class Relay:
    """What it keeps, what it was asked, and how it answers."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.noise: list[str] = []
        """Messages that come before each answer."""
        self.takes = True
        self.end = "EOSE"
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self.port}"

    async def serve(self, request: WebSocketRequest) -> None:
        """One connection."""
        socket = await request.accept()
        try:
            while True:
                message = json.loads(await socket.get_message())
                for raw in self.noise:
                    await socket.send_message(raw)
                await self._answer(socket, message)
        except ConnectionClosed:
            return

    async def _answer(self, socket: WebSocketConnection, message: list[Any]) -> None:
        match message:
            case ["EVENT", event]:
                identity = read_event(event).id.hex()
                if self.takes:
                    self.events.append(event)
                await socket.send_message(json.dumps(["OK", identity, self.takes, ""]))
            case ["REQ", name, wanted]:
                self.requests.append(wanted)
                for event in self.events:
                    if event["pubkey"] in wanted["authors"] and event["kind"] in wanted["kinds"]:
                        await socket.send_message(json.dumps(["EVENT", name, event]))
                await socket.send_message(json.dumps([self.end, name]))


@asynccontextmanager
async def open_relay() -> AsyncIterator[Relay]:
    """A relay for the length of the block."""
    relay = Relay()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, relay.serve, "127.0.0.1", 0, None)
        relay.port = server.port
        yield relay
        nursery.cancel_scope.cancel()
