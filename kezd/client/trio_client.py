"""The client library for Trio: many calls at once on one connection, events as they come.

async with open_client(profile="default") as client:
    await client.api.chat.send(to="bob@kez.lat", text="hi")
    async with client.events(["message"]) as events:
        async for event in events:
            ...
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import outcome
import trio

from kezd.api.events import EVENT, LAGGED, STOPPING
from kezd.client.calls_trio import Api
from kezd.client.wire import (
    API_MAX,
    API_MIN,
    DEPRECATED,
    LINE_BYTES,
    disconnected,
    error_from_wire,
    not_running,
    socket_path,
    warn_deprecated,
)
from kezd.errors import KezdError, Slug, UnavailableError, error_for

Json = dict[str, Any]

RECEIVE_BYTES = 256 * 1024
EVENT_BUFFER = 4096
"""Events that may wait here until the subscription is given up and taken up again."""
CLOSE_GRACE = 1.0
"""Seconds for the farewell of a subscription."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Json).decode


@dataclass(slots=True)
class _Listening:
    """One subscription, and how far its events were taken out."""

    name: str
    epoch: str
    seq: int
    received: trio.MemoryReceiveChannel[Json]


class TrioClient:
    """An initialised connection. `open_client` is the only way to one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._last_id = 0
        self._waiting: dict[int, tuple[trio.lowlevel.Task, trio.MemorySendChannel[Json] | None]] = {}
        self._subscriptions: dict[str, trio.MemorySendChannel[Json]] = {}
        self._out: list[bytes] = []
        self._to_write = trio.Event()
        self._ended: KezdError | None = None
        self._slots = trio.Semaphore(1)
        self.session: Json = {}
        """The answer to `session.initialize`."""
        self.api = Api(self.call)
        """Every method as a typed call: `await client.api.chat.send(to=…, text=…)`."""

    async def call(self, method: str, **params: Any) -> Json:
        """Call a method and return its result. Waits while as many calls run as the daemon allows.

        Raises:
            KezdError: of the family and slug that the daemon answered.
            UnavailableError: `not_running` when the connection ends.
        """
        return await self._call(method, params, None)

    @asynccontextmanager
    async def events(self, topics: list[str], since: Json | None = None) -> AsyncIterator["Events"]:
        """Listen for the length of the block. Who falls behind is taken up where they were.

        Args:
            topics: which.
            since: `{epoch, seq}` after which to begin; None for now.

        Raises:
            UnavailableError: while iterating, when the daemon stops or goes away.
            RequestError: `cannot_replay`.
        """
        events = Events(self, topics, await self._subscribe(topics, since))
        try:
            yield events
        finally:
            with trio.move_on_after(CLOSE_GRACE, shield=True):
                await self._unsubscribe(events.listening)

    async def resume(self, topics: list[str], listening: "_Listening") -> "_Listening":
        """Take up a subscription that ended, where it was.

        Raises:
            KezdError: the connection has ended, or `cannot_replay`.
        """
        if self._ended is not None:
            raise self._ended
        await self._unsubscribe(listening)
        return await self._subscribe(topics, {"epoch": listening.epoch, "seq": listening.seq})

    async def _call(self, method: str, params: Json, channel: trio.MemorySendChannel[Json] | None) -> Json:
        async with self._slots:
            if self._ended is not None:
                raise self._ended
            self._last_id += 1
            call_id = self._last_id
            request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
            self._out.append(_encode(request))
            self._to_write.set()
            self._waiting[call_id] = (trio.lowlevel.current_task(), channel)

            def give_up(_: object) -> trio.lowlevel.Abort:
                self._waiting.pop(call_id, None)
                return trio.lowlevel.Abort.SUCCEEDED

            answer: Json = await trio.lowlevel.wait_task_rescheduled(give_up)
        if "error" in answer:
            raise error_from_wire(answer["error"])
        result: Json = answer["result"]
        return result

    async def _subscribe(self, topics: list[str], since: Json | None) -> "_Listening":
        params: Json = {"topics": topics} if since is None else {"topics": topics, "since": since}
        send, receive = trio.open_memory_channel[Json](EVENT_BUFFER)
        answer = await self._call("events.subscribe", params, send)
        seq = answer["seq"] if since is None else since["seq"]
        return _Listening(answer["subscription"], answer["epoch"], seq, receive)

    async def _unsubscribe(self, listening: "_Listening") -> None:
        self._subscriptions.pop(listening.name, None)
        try:
            await self.call("events.unsubscribe", subscription=listening.name)
        except KezdError:
            # It has ended already, with the connection or by lagging.
            return

    async def _write(self) -> None:
        while True:
            await self._to_write.wait()
            self._to_write = trio.Event()
            data = b"\n".join([*self._out, b""])
            self._out.clear()
            try:
                await self._stream.send_all(data)
            except trio.BrokenResourceError:
                return  # the reader learns it too, with what the daemon said before

    async def _read(self, limit: int) -> None:
        tail = b""
        try:
            while data := await self._stream.receive_some(RECEIVE_BYTES):
                *lines, tail = (tail + data).split(b"\n")
                for line in lines:
                    self._deliver(_decode(line))
                if len(tail) > limit:
                    raise error_for(Slug.TOO_LARGE, "kezd's answer is too long")
        except trio.BrokenResourceError:
            self._end(disconnected())
        except KezdError as error:
            self._end(error)
        else:
            self._end(disconnected())

    def _deliver(self, message: Json) -> None:
        method = message.get("method")
        if method is None:
            self._answered(message)
        elif method == STOPPING:
            raise UnavailableError(Slug.STOPPING)
        elif method == DEPRECATED:
            warn_deprecated(message["params"])
        else:
            name = message["params"].get("subscription", "")
            channel = self._subscriptions.get(name)
            if channel is None:
                return
            try:
                channel.send_nowait(message)
            except trio.WouldBlock:
                # Never waited for: an answer that the listener needs may be behind this event.
                del self._subscriptions[name]
                channel.close()
            if method == LAGGED:
                channel.close()

    def _answered(self, message: Json) -> None:
        call_id = message.get("id")
        if call_id is None:
            raise error_from_wire(message.get("error"))
        task, channel = self._waiting.pop(call_id, (None, None))
        if channel is not None and "result" in message:
            self._subscriptions[message["result"]["subscription"]] = channel
        if task is not None:
            trio.lowlevel.reschedule(task, outcome.Value(message))

    def _end(self, error: KezdError) -> None:
        self._ended = error
        for task, _ in self._waiting.values():
            trio.lowlevel.reschedule(task, outcome.Error(error))
        self._waiting.clear()
        for channel in self._subscriptions.values():
            channel.close()


class Events:
    """Events as they come: `async for event in events`."""

    def __init__(self, client: TrioClient, topics: list[str], listening: _Listening) -> None:
        self._client = client
        self._topics = topics
        self.listening = listening

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Json:
        """The next event, `{epoch, seq, topic, event}`."""
        while True:
            try:
                message = await self.listening.received.receive()
            except trio.EndOfChannel:
                self.listening = await self._client.resume(self._topics, self.listening)
                continue
            if message["method"] == EVENT:
                event: Json = message["params"]
                self.listening.seq = max(self.listening.seq, event["seq"])
                return event


@asynccontextmanager
async def open_client(
    path: str | None = None, *, profile: str = "default", name: str = "kezd.client", version: str = ""
) -> AsyncIterator[TrioClient]:
    """Connect and initialise, for the length of the block.

    Raises:
        UnavailableError: `not_running`.
        KezdError: what `session.initialize` answered.
    """
    where = path or socket_path(os.environ)
    try:
        stream = await _connect(where)
    except OSError as error:
        raise not_running(where, error) from error
    async with stream, trio.open_nursery() as nursery:
        client = TrioClient(stream)
        nursery.start_soon(client._read, LINE_BYTES)  # noqa: SLF001 - parts of one thing
        nursery.start_soon(client._write)  # noqa: SLF001 - as above
        client.session = await client.call(
            "session.initialize",
            client={"name": name, "version": version},
            api={"min": API_MIN, "max": API_MAX},
            profile=profile,
        )
        for _ in range(client.session["limits"]["calls_in_flight"] - 1):
            client._slots.release()  # noqa: SLF001 - as above
        yield client
        nursery.cancel_scope.cancel()


async def _connect(path: str) -> trio.SocketStream:
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        await sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
