"""Events reach a subscriber once each, in order, whatever it missed or however slow it is."""

import json

import pytest
import trio

from kezd.rpc.subscriptions import REPLAY_PAGE, SUBSCRIPTIONS
from kezd.runtime.bus import Event
from kezd.testing.rpc_driver import open_rpc


async def events(client, count):
    return [(await client.receive())["params"] for _ in range(count)]


async def test_live_events_follow_the_answer(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            rpc.peer.log.append("message", {"n": 1})
            answer = (await client.call("events.subscribe", topics=["message"]))["result"]
            assert answer == {
                "subscription": "s1",
                "epoch": "e1",
                "seq": 1,
                "replayed_from": None,
                "first_seq": 1,
                "acked": None,
                "snapshot": None,
            }
            rpc.peer.log.append("contact", {"n": 2})
            rpc.peer.log.append("message", {"n": 3})
            (event,) = await events(client, 1)
            assert event == {
                "subscription": "s1",
                "epoch": "e1",
                "seq": 3,
                "topic": "message",
                "event": {"n": 3},
            }


async def test_replay_then_live_without_gap_or_double(tmp_path):
    total = REPLAY_PAGE * 3 + 7
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(1, total + 1):
                rpc.peer.log.append("message", {"n": n})
            await client.begin("events.subscribe", topics=["message"], since={"epoch": "e1", "seq": 5})
            async with trio.open_nursery() as nursery:

                async def write_on():
                    for n in range(total + 1, total + 200):
                        rpc.peer.log.append("message", {"n": n})
                        await trio.lowlevel.checkpoint()

                nursery.start_soon(write_on)
                answer = (await client.receive())["result"]
                assert answer["replayed_from"] == 6
                seen = await events(client, total + 199 - 5)
            assert [e["seq"] for e in seen] == list(range(6, total + 200))
            assert [e["event"]["n"] for e in seen] == list(range(6, total + 200))


async def test_replay_of_some_topics_only(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(1, 700):
                rpc.peer.log.append("message" if n % 300 == 0 else "contact", {"n": n})
            await client.call("events.subscribe", topics=["message"], since={"epoch": "e1", "seq": 0})
            assert [e["seq"] for e in await events(client, 2)] == [300, 600]
            rpc.peer.log.append("message", {"n": 700})
            assert [e["seq"] for e in await events(client, 1)] == [700]


@pytest.mark.parametrize(
    "since",
    [
        {"epoch": "other", "seq": 5},
        {"epoch": "e1", "seq": 99},
        {"epoch": "e1", "seq": 1},
        {"epoch": "e1", "seq": -1},
    ],
)
async def test_a_place_that_is_gone_cannot_be_replayed(tmp_path, since):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(1, 10):
                rpc.peer.log.append("message", {"n": n})
            del rpc.peer.log.kept[:4]
            error = (await client.call("events.subscribe", topics=["message"], since=since))["error"]
            assert error["data"]["slug"] == "cannot_replay"
            assert (error["data"]["first_seq"], error["data"]["last_seq"]) == (5, 9)
            fine = await client.call("events.subscribe", topics=["message"], since={"epoch": "e1", "seq": 4})
            assert fine["result"]["replayed_from"] == 5
            assert [e["seq"] for e in await events(client, 5)] == [5, 6, 7, 8, 9]


async def test_a_slow_reader_lags_and_comes_back_without_loss(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path, queue_limit=16) as rpc, rpc.connect() as client, rpc.connect() as other:
            await client.call("events.subscribe", topics=["message"])
            for n in range(1, 3001):
                rpc.peer.log.append("message", {"n": n, "text": "x" * 2000})
                if n % 10 == 0:
                    await trio.lowlevel.checkpoint()
            assert "result" in await other.call("daemon.version")
            seen, lagged = [], None
            while lagged is None:
                message = await client.receive()
                if message["method"] == "events.lagged":
                    lagged = message["params"]
                else:
                    seen.append(message["params"]["seq"])
            assert lagged["last_seq"] == (seen[-1] if seen else 0)
            await client.call(
                "events.subscribe", topics=["message"], since={"epoch": "e1", "seq": lagged["last_seq"]}
            )
            seen += [e["seq"] for e in await events(client, 3000 - len(seen))]
            assert seen == list(range(1, 3001))


async def test_only_the_newest_ephemeral_state_waits(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            await client.call("events.subscribe", topics=["link"])
            rpc.peer.log.bus.publish([Event(0, "link", {"n": n}, key="nats") for n in range(5)])
            (event,) = await events(client, 1)
            assert (event["seq"], event["event"]) == (0, {"n": 4})


async def test_nothing_follows_unsubscribe(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            await client.call("events.subscribe", topics=["message"])
            rpc.peer.log.append("message", {"n": 1})
            await client.begin("events.unsubscribe", subscription="s1")
            while "result" not in (message := await client.receive()):
                assert message["params"]["event"] == {"n": 1}
            rpc.peer.log.append("message", {"n": 2})
            gone = await client.call("events.unsubscribe", subscription="s1")
            assert gone["error"]["data"]["slug"] == "not_found"
            assert rpc.peer.log.bus._subscriptions == set()


async def test_subscriptions_end_with_their_connection(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with rpc.connect() as client:
                await client.call("events.subscribe", topics=["message"])
                assert len(rpc.peer.log.bus._subscriptions) == 1
            while rpc.peer.log.bus._subscriptions:
                await trio.sleep(0.01)


async def test_subscriptions_are_counted(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for _ in range(SUBSCRIPTIONS):
                assert "result" in await client.call("events.subscribe", topics=["link"])
            over = await client.call("events.subscribe", topics=["link"])
            assert over["error"]["data"]["slug"] == "busy"


async def test_in_a_batch_the_answer_still_comes_before_the_events(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            rpc.peer.log.append("message", {"n": 1})
            params = {"topics": ["message"], "since": {"epoch": "e1", "seq": 0}}
            waits = {"to": "@bob", "text": "wait"}
            batch = [
                {"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": params},
                {"jsonrpc": "2.0", "id": 2, "method": "chat.send", "params": waits},
            ]
            await client.send(json.dumps(batch).encode() + b"\n")
            async with rpc.connect() as other:
                await other.call("daemon.version")
            rpc.peer.default.gate.set()
            assert isinstance(await client.receive(), list)
            assert (await client.receive())["params"]["seq"] == 1


async def test_part_of_a_replay_cut_off_meanwhile_is_told_as_a_lag(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(1, 3 * REPLAY_PAGE):
                rpc.peer.log.append("message", {"n": n})

            async def cut():
                while not rpc.peer.log.bus._subscriptions:
                    await trio.lowlevel.checkpoint()
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
                del rpc.peer.log.kept[: 3 * REPLAY_PAGE - 10]

            async with trio.open_nursery() as nursery:
                nursery.start_soon(cut)
                await client.begin("events.subscribe", topics=["message"], since={"epoch": "e1", "seq": 0})
                await client.receive()
            last = 0
            while (message := await client.receive())["method"] == "event":
                last = message["params"]["seq"]
            assert message["method"] == "events.lagged"
            assert message["params"]["last_seq"] == last
