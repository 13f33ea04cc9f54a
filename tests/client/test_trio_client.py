"""The Trio client against the real server."""

import pytest
import trio
import trio.lowlevel

from kezd.client.trio_client import EVENT_BUFFER, open_client
from kezd.errors import KezdError, RequestError, Slug
from kezd.runtime.settings import RpcSettings
from kezd.testing.rpc_driver import open_rpc


async def test_many_calls_at_once(tmp_path):
    with trio.fail_after(20):
        async with (
            open_rpc(tmp_path, limits=RpcSettings(calls_in_flight=8)) as rpc,
            open_client(str(rpc.path)) as client,
        ):
            done = []

            async def send(text):
                result = await client.call("chat.send", to="@bob", text=text)
                done.append(result["message"]["text"])

            async with trio.open_nursery() as nursery:
                for n in range(100):
                    nursery.start_soon(send, f"wait {n}")
                while rpc.peer.default.waiting < 8:
                    await trio.lowlevel.checkpoint()
                rpc.peer.default.gate.set()
            assert sorted(done) == sorted(f"wait {n}" for n in range(100))


async def test_errors(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, open_client(str(rpc.path)) as client:
            with pytest.raises(RequestError) as caught:
                await client.call("chat.send", to="@eve", text="unknown")
            assert caught.value.slug is Slug.NOT_A_CONTACT


async def test_nobody_there(tmp_path):
    with pytest.raises(KezdError) as caught:
        async with open_client(str(tmp_path / "s")):
            pass
    assert caught.value.slug is Slug.NOT_RUNNING


async def test_events_arrive_while_calls_are_made(tmp_path):
    with trio.fail_after(20):
        async with (
            open_rpc(tmp_path) as rpc,
            open_client(str(rpc.path)) as client,
            client.events(["message"]) as events,
        ):
            for n in range(20):
                rpc.peer.log.append("message", {"n": n})
            seen = []
            async for event in events:
                await client.call("daemon.version")
                seen.append(event["seq"])
                if len(seen) == 20:
                    break
            assert seen == list(range(1, 21))


async def test_nothing_is_lost_however_slow_the_listener_is(tmp_path):
    total = EVENT_BUFFER * 2
    with trio.fail_after(60):
        async with (
            open_rpc(tmp_path) as rpc,
            open_client(str(rpc.path)) as client,
            client.events(["message"]) as events,
        ):
            for n in range(total):
                rpc.peer.log.append("message", {"n": n})
                if n % 100 == 0:
                    await trio.lowlevel.checkpoint()
            await client.call("daemon.version")
            seen = []
            async for event in events:
                seen.append(event["seq"])
                if len(seen) == total:
                    break
            assert seen == list(range(1, total + 1))


async def test_the_daemon_stops(tmp_path):
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            opened = trio.Event()
            slugs = []

            async def listen(path):
                async with open_client(path) as client, client.events(["message"]) as events:
                    opened.set()
                    try:
                        async for _ in events:
                            pass
                    except KezdError as error:
                        slugs.append(error.slug)
                    with pytest.raises(KezdError):
                        await client.call("daemon.version")

            async with open_rpc(tmp_path) as rpc:
                nursery.start_soon(listen, str(rpc.path))
                await opened.wait()
        assert slugs == [Slug.STOPPING]


async def test_a_call_given_up_does_not_disturb_the_next(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, open_client(str(rpc.path)) as client:
            with trio.move_on_after(0.05):
                await client.call("chat.send", to="@bob", text="wait")
            rpc.peer.default.gate.set()
            assert (await client.call("daemon.version"))["version"] == "0.0.0"
