"""A named consumer under Trio that outlives its connection: events as they come, through restarts of kezd.

async with follow(["message"], "my-bot") as events:
    async for event in events:
        ...
        await events.ack()

Delivery is at least once: what was not acknowledged comes again to the next program of that
name. Within one block no event is left out and none is handed out twice.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import trio

from kezd.client.events_sync import AWAY
from kezd.client.trio_client import Events, TrioClient, open_client
from kezd.errors import KezdError, Slug, UnavailableError

Json = dict[str, Any]

_Connection = AbstractAsyncContextManager[TrioClient]

PASSES = AWAY | {Slug.LOCKED}
"""Why there are no events for a while: the daemon is away, or the profile was locked."""
PAUSE = 0.2
"""Seconds between two looks for a daemon that went away."""


class Follower:
    """See the module; `follow` is the only way to one."""

    def __init__(
        self, topics: list[str], consumer: str, since: Json | None, connect: Callable[[], _Connection]
    ) -> None:
        self._topics = topics
        self._consumer = consumer
        self._connect = connect
        self._send, self._receive = trio.open_memory_channel[Json](0)
        self._events: Events | None = None
        self._connected = trio.Event()
        self._error: KezdError | None = None
        self._sent = since
        """After what has gone through the channel: where a new connection begins."""
        self.place: Json | None = None
        """`{epoch, seq}` of the last event handed out; None before the first."""

    def __aiter__(self) -> "Follower":
        return self

    async def __anext__(self) -> Json:
        """The next event, `{epoch, seq, topic, event}`.

        Raises:
            RequestError: `taken_over`, `cannot_replay`, `not_found` when the consumer was forgotten.
            KezdError: what else the daemon refuses.
        """
        try:
            event: Json = await self._receive.receive()
        except trio.EndOfChannel:
            assert self._error is not None, "it does not end without a reason"
            raise self._error from None
        if event["seq"]:
            self.place = _place(event)
        return event

    async def ack(self, seq: int | None = None) -> int:
        """Done with everything up to `seq`, or with everything handed out so far; durable when it returns.

        Waits for a daemon that went away.

        Returns:
            What the consumer has acknowledged.

        Raises:
            RequestError: `not_found` when the consumer was forgotten.
            KezdError: why the iteration has ended.
        """
        wanted = self.place["seq"] if seq is None and self.place is not None else seq
        while True:
            events = await self._wait_connected()
            try:
                return await events.ack(events.begun["acked"] if wanted is None else wanted)
            except UnavailableError as error:
                if error.slug not in AWAY:
                    raise
                if self._events is events:
                    self._lose()

    async def _wait_connected(self) -> Events:
        while self._events is None:
            if self._error is not None:
                raise self._error
            await self._connected.wait()
        return self._events

    def _lose(self) -> None:
        self._events = None
        self._connected = trio.Event()

    async def run(self) -> None:
        """Connect and hand over, again and again, until something cannot be mended by waiting."""
        async with self._send:
            try:
                while True:
                    await self._connect_once()
                    await trio.sleep(PAUSE)
            except KezdError as error:
                self._error = error
        self._connected.set()

    async def _connect_once(self) -> None:
        """Listen for one connection's length; returns when there should be another one."""
        try:
            async with self._connect() as client:
                # what it raises would leave the client's block as a group
                error = await self._wait_and_listen(client)
        except UnavailableError as refused:
            error = refused
        if error.slug not in PASSES:
            raise error

    async def _wait_and_listen(self, client: TrioClient) -> KezdError:
        try:
            await client.wait_open()
        except KezdError as error:
            return error
        return await self._listen(client)

    async def _listen(self, client: TrioClient) -> KezdError:
        try:
            async with client.events(self._topics, self._sent, consumer=self._consumer) as events:
                self._events = events
                self._connected.set()
                async for event in events:
                    await self._send.send(event)
                    if event["seq"]:
                        self._sent = _place(event)
            raise AssertionError("a subscription that follows does not end well")
        except KezdError as error:
            return error
        finally:
            self._lose()


def _place(event: Json) -> Json:
    return {"epoch": event["epoch"], "seq": event["seq"]}


@asynccontextmanager
async def follow(
    topics: list[str],
    consumer: str,
    *,
    since: Json | None = None,
    path: str | None = None,
    profile: str = "default",
    name: str = "kezd.client",
    version: str = "",
    token: str | None = None,
) -> AsyncIterator[Follower]:
    """Listen as a named consumer, for the length of the block, through restarts of the daemon.

    Args:
        topics: which.
        consumer: its name; it begins after what was acknowledged under it, a new one now.
        since: `{epoch, seq}` after which to begin instead.
        path: the socket; by default where the environment says.
        profile: which identity of the daemon.
        name: of the calling program.
        version: of the calling program.
        token: as in `open_client`.
    """
    connect = partial(open_client, path, profile=profile, name=name, version=version, token=token)
    follower = Follower(topics, consumer, since, connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follower.run)
        yield follower
        nursery.cancel_scope.cancel()
