"""Consumers in both clients: acknowledged and not, taken over, and through a daemon that went away."""

import pytest
import trio

from kezd.client.follow import follow
from kezd.client.sync import Client
from kezd.client.trio_client import EVENT_BUFFER, open_client
from kezd.errors import RequestError, Slug
from kezd.rpc.ports import ProfileState
from kezd.testing.rpc_driver import open_rpc


async def in_thread(function):
    return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


def append(rpc, count):
    for _ in range(count):
        rpc.peer.log.append("message", {"n": rpc.peer.log.last + 1})


async def test_without_a_loop(tmp_path):
    def first(path):
        with Client.connect(path) as client:
            events = client.events(["message"], consumer="bot")
            trio.from_thread.run_sync(append, server, 5)
            seen = [next(events)["seq"] for _ in range(3)]
            assert events.ack(2) == 2
            return seen

    def second(path):
        with Client.connect(path) as client:
            events = client.events(["message"], consumer="bot", follow=False)
            assert events.begun["acked"] == 2
            seen = [event["seq"] for event in events]
            assert events.ack() == 5
            assert next(events, None) is None
            return seen

    def drawn(path):
        with Client.connect(path) as client:
            events = client.events(["message"], snapshot=True)
            assert events.snapshot["unread"] == events.place["seq"] == 5
            trio.from_thread.run_sync(append, server, 1)
            return next(events)["seq"]

    with trio.fail_after(20):
        async with open_rpc(tmp_path) as server:
            assert await in_thread(lambda: first(str(server.path))) == [1, 2, 3]
            assert await in_thread(lambda: second(str(server.path))) == [3, 4, 5]
            assert await in_thread(lambda: drawn(str(server.path))) == 6


async def test_without_a_loop_over_restarts_of_the_daemon(tmp_path):
    seen, count = [], 40

    def listen(path):
        with Client.connect(path) as client:
            events = client.events(["message"], consumer="bot")
            for event in events:
                seen.append(event["seq"])
                events.ack()
                if len(seen) == count:
                    return

    with trio.fail_after(30):
        log = None
        async with trio.open_nursery() as nursery:
            for life in range(4):
                async with open_rpc(tmp_path) as rpc:
                    if log is None:
                        log = rpc.peer.log
                        log.consumers.acked["bot"] = 0
                        nursery.start_soon(in_thread, lambda: listen(str(rpc.path)))
                    else:
                        log.consumers._holders.clear()
                        rpc.peer.log = rpc.peer.default.log = log
                    for _ in range(10):
                        log.append("message", {"n": log.last + 1})
                        await trio.sleep(0.001)
                    while life == 3 and len(seen) < count:
                        await trio.sleep(0.01)
    assert seen == list(range(1, count + 1))


async def test_taken_over(tmp_path):
    def listen(path):
        with Client.connect(path) as client, pytest.raises(RequestError) as caught:
            for _ in client.events(["message"], consumer="bot"):
                pass
        return caught.value.slug

    async def holders(rpc, wanted):
        while len(rpc.peer.log.bus.waiting) != wanted:
            await trio.sleep(0.01)

    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, trio.open_nursery() as nursery:
            slugs = []

            async def old():
                slugs.append(await in_thread(lambda: listen(str(rpc.path))))

            nursery.start_soon(old)
            await holders(rpc, 1)
            async with (
                open_client(str(rpc.path)) as client,
                client.events(["message"], consumer="bot") as events,
            ):
                while not slugs:
                    await trio.sleep(0.01)
                assert slugs == [Slug.TAKEN_OVER]
                await client.call("events.forget", consumer="bot")
                with pytest.raises(RequestError) as caught:
                    await anext(events)
                assert caught.value.slug is Slug.NOT_FOUND


async def test_trio(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, open_client(str(rpc.path)) as client:
            append(rpc, 3)
            async with client.events(["message"], snapshot=True, consumer="bot") as events:
                assert events.begun["snapshot"]["unread"] == 3
                append(rpc, 2)
                assert [(await anext(events))["seq"] for _ in range(2)] == [4, 5]
                assert await events.ack(4) == 4
                assert await events.ack() == 5
            append(rpc, 2)
            async with client.events(["message"], consumer="bot", follow=False) as events:
                assert [event["seq"] async for event in events] == [6, 7]


async def test_without_follow_even_a_full_buffer_loses_nothing(tmp_path):
    total = EVENT_BUFFER + 500
    with trio.fail_after(30):
        async with open_rpc(tmp_path) as rpc, open_client(str(rpc.path)) as client:
            append(rpc, total)
            since = {"epoch": "e1", "seq": 0}
            async with client.events(["message"], since, follow=False) as events:
                await client.call("daemon.version")
                await trio.sleep(0.2)
                assert [event["seq"] async for event in events] == list(range(1, total + 1))


async def test_follow_over_restarts_and_a_locked_vault(tmp_path):
    """Each event once in one program; what was not acknowledged comes again to the next one."""
    seen, log = [], None
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:

            async def listen(path):
                async with follow(["message"], "bot", path=path) as events:
                    assert await events.ack() == 0
                    async for event in events:
                        seen.append(event["seq"])
                        if event["seq"] % 2:
                            await events.ack()
                        if len(seen) == 40:
                            return

            for life in range(4):
                async with open_rpc(tmp_path) as rpc:
                    if log is None:
                        log = rpc.peer.log
                        log.consumers.acked["bot"] = 0
                        nursery.start_soon(listen, str(rpc.path))
                    else:
                        rpc.peer.log = rpc.peer.default.log = log
                        rpc.peer.default.state = ProfileState.LOCKED
                        await trio.sleep(0.3)
                        rpc.peer.default.state = ProfileState.OPEN
                    for _ in range(10):
                        log.append("message", {"n": log.last + 1})
                        await trio.sleep(0.001)
                    while life == 3 and len(seen) < 40:
                        await trio.sleep(0.01)
    assert seen == list(range(1, 41))
    assert log.consumers.acked["bot"] == 39


async def test_follow_says_why_it_ends(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            path = str(rpc.path)
            async with follow(["message"], "bot", path=path) as older:
                assert await older.ack() == 0
                append(rpc, 1)
                assert (await anext(older))["seq"] == 1
                async with follow(["message"], "bot", path=path) as newer:
                    assert (await anext(newer))["seq"] == 1
                    with pytest.raises(RequestError) as caught:
                        await anext(older)
                    assert caught.value.slug is Slug.TAKEN_OVER
                    with pytest.raises(RequestError):
                        await older.ack()
                    assert await newer.ack() == 1


async def test_who_is_refused_learns_it_plainly(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            with pytest.raises(RequestError) as caught:
                async with open_client(str(rpc.path), profile="nobody"):
                    pass
            assert caught.value.slug is Slug.UNKNOWN_PROFILE
