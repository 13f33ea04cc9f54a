"""The client library for Trio: many calls at once on one connection, events as they come.

async with open_client(profile="default") as client:
    await client.api.chat.send(to="bob@kez.lat", text="hi")
    async with client.events(["message"]) as events:
        async for event in events:
            ...
"""

import array
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import outcome
import trio

from kezd.api.events import ENDED, EVENT, LAGGED, SESSION_CHANGED, STOPPING
from kezd.client.calls_trio import Api
from kezd.client.events_sync import refuse_ended
from kezd.client.wire import (
    API_MAX,
    API_MIN,
    DEPRECATED,
    LINE_BYTES,
    PROGRESS,
    disconnected,
    error_from_wire,
    not_running,
    socket_path,
    token_for,
    warn_deprecated,
)
from kezd.errors import KezdError, RequestError, Slug, UnavailableError, error_for

Json = dict[str, Any]
Report = Callable[[int, int | None, str, str], None]
"""Told of a long call: done, total (None when unknown), what is being done, the unit."""

COMPLETE = "complete"
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
        self._endings: dict[str, str] = {}
        """Why subscriptions ended by themselves."""
        self._out: list[tuple[bytes, list[int]]] = []
        """Lines, and the descriptors that go with each."""
        self._reports: dict[int, Report] = {}
        self._last_token = 0
        self._to_write = trio.Event()
        self._ended: KezdError | None = None
        self._slots = trio.Semaphore(1)
        self._said: str | None = None
        self._changed = trio.Event()
        self.session: Json = {}
        """The answer to `session.initialize`."""
        self.api = Api(self.call)
        """Every method as a typed call: `await client.api.chat.send(to=…, text=…)`."""

    @property
    def state(self) -> str:
        """Of the profile, as `session.initialize` and then `session.changed` said it."""
        state: str = self._said or self.session["state"]
        return state

    async def wait_open(self) -> None:
        """Wait until the profile of this connection is open; done at once when it is.

        Raises:
            UnavailableError: `stopping` or `not_running`, the daemon went away.
            RequestError: `unknown_profile`, the profile was removed.
        """
        while self.state != "open":
            if self._ended is not None:
                raise self._ended
            if self.state == "removed":
                raise RequestError(Slug.UNKNOWN_PROFILE, "this profile was removed")
            await self._changed.wait()

    async def call(
        self, method: str, *, descriptors: Sequence[int] = (), report: Report | None = None, **params: Any
    ) -> Json:
        """Call a method and return its result. Waits while as many calls run as the daemon allows.

        A call whose caller is cancelled is asked to stop; what it has committed stays.

        Args:
            method: `noun.verb`.
            descriptors: open files to send along, at most 16; a parameter `{"fd": 0}` means the first
                of them. They stay the caller's to close.
            report: told how far a long call is (done, total, what is being done, unit); must not wait or raise.
            params: by name.

        Raises:
            KezdError: of the family and slug that the daemon answered.
            UnavailableError: `not_running` when the connection ends.
        """
        if report is None:
            return await self._call(method, params, None, descriptors)
        self._last_token += 1
        token = self._last_token
        self._reports[token] = report
        try:
            return await self._call(method, {**params, "progress_token": token}, None, descriptors)
        finally:
            del self._reports[token]

    @asynccontextmanager
    async def events(
        self,
        topics: list[str],
        since: Json | None = None,
        *,
        consumer: str | None = None,
        snapshot: bool = False,
        follow: bool = True,
    ) -> AsyncIterator["Events"]:
        """Listen for the length of the block. Who falls behind is taken up where they were.

        `kezd.client.follow` also outlives the connection.

        Args:
            topics: which.
            since: `{epoch, seq}` after which to begin; None for now.
            consumer: a name whose place lasts: begins after what it acknowledged (`ack` of the result).
            snapshot: ask for what a front-end draws first (`begun` of the result); the events go on from there.
            follow: False ends after what the log has now.

        Raises:
            UnavailableError: while iterating, when the daemon stops or goes away.
            RequestError: `cannot_replay`; while iterating, `taken_over`.
        """
        wish: Json = {"topics": topics}
        wish |= {} if consumer is None else {"consumer": consumer}
        wish |= {} if follow else {"follow": False}
        first: Json = {} if since is None else {"since": since}
        first |= {"snapshot": True} if snapshot else {}
        events = Events(self, wish, *await self.subscribe(wish | first))
        try:
            yield events
        finally:
            with trio.move_on_after(CLOSE_GRACE, shield=True):
                await self._unsubscribe(events.listening)

    async def resume(self, wish: Json, listening: "_Listening") -> "_Listening":
        """Take up a subscription that ended, where it was.

        Raises:
            KezdError: the connection has ended, or `cannot_replay`.
        """
        if self._ended is not None:
            raise self._ended
        await self._unsubscribe(listening)
        if listening.name in self._endings:
            return listening
        place = {"epoch": listening.epoch, "seq": listening.seq}
        return (await self.subscribe(wish | {"since": place}))[0]

    async def _call(
        self,
        method: str,
        params: Json,
        channel: trio.MemorySendChannel[Json] | None,
        descriptors: Sequence[int] = (),
    ) -> Json:
        async with self._slots:
            if self._ended is not None:
                raise self._ended
            self._last_id += 1
            call_id = self._last_id
            request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
            # Copies: the caller may close its own as soon as it is cancelled, before they have left.
            self._out.append((_encode(request), [os.dup(one) for one in descriptors]))
            self._to_write.set()
            self._waiting[call_id] = (trio.lowlevel.current_task(), channel)

            def give_up(_: object) -> trio.lowlevel.Abort:
                self._waiting.pop(call_id, None)
                stop = {"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": call_id}}
                self._out.append((_encode(stop), []))
                self._to_write.set()
                return trio.lowlevel.Abort.SUCCEEDED

            answer: Json = await trio.lowlevel.wait_task_rescheduled(give_up)
        if "error" in answer:
            raise error_from_wire(answer["error"])
        result: Json = answer["result"]
        return result

    async def subscribe(self, wish: Json) -> tuple["_Listening", Json]:
        """Begin a subscription for `Events`; with what the daemon answered."""
        send, receive = trio.open_memory_channel[Json](EVENT_BUFFER)
        answer = await self._call("events.subscribe", wish, send)
        replayed_from = answer.get("replayed_from")
        seq = answer["seq"] if replayed_from is None else replayed_from - 1
        return _Listening(answer["subscription"], answer["epoch"], seq, receive), answer

    def ending(self, listening: "_Listening") -> str | None:
        """Why a subscription has ended by itself, None when it has not."""
        return self._endings.get(listening.name)

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
            try:
                await self._write_out()
            except (trio.BrokenResourceError, OSError):
                return  # the reader learns it too, with what the daemon said before
            finally:
                self._close_unsent()

    async def _write_out(self) -> None:
        """Many lines at once, but one with descriptors alone: they belong to the line they begin with."""
        while self._out:
            count = next((n for n, (_, attached) in enumerate(self._out) if attached), len(self._out))
            if count:
                data = b"\n".join([*(line for line, _ in self._out[:count]), b""])
                del self._out[:count]
                await self._stream.send_all(data)
                continue
            line, attached = self._out[0]
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", attached))
            sent = await self._stream.socket.sendmsg([line + b"\n"], [rights])
            del self._out[0]
            for one in attached:
                os.close(one)
            await self._stream.send_all((line + b"\n")[sent:])

    def _close_unsent(self) -> None:
        for _, attached in self._out:
            for one in attached:
                os.close(one)
        self._out.clear()

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
        elif method == PROGRESS:
            self._told(message["params"])
        elif method == SESSION_CHANGED:
            self._said = message["params"]["state"]
            self._wake_waiting()
        else:
            name = message["params"].get("subscription", "")
            channel = self._subscriptions.get(name)
            reason = message["params"]["reason"] if method == ENDED else None
            if reason is not None and (channel is not None or reason != COMPLETE):
                self._endings[name] = reason
            if channel is None:
                return
            if reason is not None:
                channel.close()
                return
            try:
                channel.send_nowait(message)
            except trio.WouldBlock:
                # Never waited for: an answer that the listener needs may be behind this event.
                del self._subscriptions[name]
                channel.close()
            if method == LAGGED:
                channel.close()

    def _wake_waiting(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _told(self, notice: Json) -> None:
        report, value = self._reports.get(notice["token"]), notice["value"]
        if report is not None:
            report(value["done"], value.get("total"), value["text"], value["unit"])

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
        self._wake_waiting()


class Events:
    """Events as they come: `async for event in events`."""

    def __init__(self, client: TrioClient, wish: Json, listening: _Listening, begun: Json) -> None:
        self._client = client
        self._wish = wish
        self.listening = listening
        self.begun = begun
        """The first answer of `events.subscribe`: `seq`, `acked`, `snapshot`, …"""

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Json:
        """The next event, `{epoch, seq, topic, event}`."""
        while True:
            try:
                message = await self.listening.received.receive()
            except trio.EndOfChannel:
                await self._go_on()
                continue
            if message["method"] == EVENT:
                event: Json = message["params"]
                self.listening.seq = max(self.listening.seq, event["seq"])
                return event

    async def _go_on(self) -> None:
        """Take a subscription that ended up again, unless it has ended for good."""
        reason = self._client.ending(self.listening)
        if reason is not None:
            refuse_ended(reason)
            raise StopAsyncIteration
        self.listening = await self._client.resume(self._wish, self.listening)

    async def ack(self, seq: int | None = None) -> int:
        """Done with everything up to `seq`, or with everything handed out so far; durable when it returns.

        Returns:
            What the consumer has acknowledged.

        Raises:
            RequestError: `not_found` when the consumer was forgotten.
            UnavailableError: the daemon went away.
        """
        wanted = self.listening.seq if seq is None else seq
        answer = await self._client.call("events.ack", consumer=self._wish["consumer"], seq=wanted)
        acked: int = answer["acked"]
        return acked


@asynccontextmanager
async def open_client(
    path: str | None = None,
    *,
    profile: str = "default",
    name: str = "kezd.client",
    version: str = "",
    token: str | None = None,
) -> AsyncIterator[TrioClient]:
    """Connect and initialise, for the length of the block.

    `token` is a token's secret, or `"full"` for the person's own, which a program of theirs may
    read from its file; None for the scope `chat`.

    Raises:
        UnavailableError: `not_running`.
        KezdError: what `session.initialize` answered.
    """
    where = path or socket_path(os.environ)
    secret = token_for(token, where, os.environ)
    try:
        stream = await _connect(where)
    except OSError as error:
        raise not_running(where, error) from error
    refused: KezdError | None = None
    async with stream, trio.open_nursery() as nursery:
        client = TrioClient(stream)
        nursery.start_soon(client._read, LINE_BYTES)  # noqa: SLF001 - parts of one thing
        nursery.start_soon(client._write)  # noqa: SLF001 - as above
        try:
            client.session = await client.call(
                "session.initialize",
                client={"name": name, "version": version},
                api={"min": API_MIN, "max": API_MAX},
                profile=profile,
                token=secret,
            )
        except KezdError as error:
            refused = error
        if refused is None:
            for _ in range(client.session["limits"]["calls_in_flight"] - 1):
                client._slots.release()  # noqa: SLF001 - as above
            try:
                yield client
            finally:
                client._close_unsent()  # noqa: SLF001 - as above
        nursery.cancel_scope.cancel()
    if refused is not None:  # out here, where it is no group
        raise refused


async def _connect(path: str) -> trio.SocketStream:
    sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    try:
        await sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
