"""Named consumers on the socket: a place that lasts, one listener at a time, snapshots, and an end that is told."""

import pytest
import trio

from kezd.rpc.subscriptions import REPLAY_PAGE
from kezd.testing.rpc_driver import open_rpc


async def subscribe(client, **params):
    answer = await client.call("events.subscribe", topics=["message"], **params)
    return answer["result"]


async def seqs(client, count):
    return [(await client.receive())["params"]["seq"] for _ in range(count)]


async def test_a_consumer_goes_on_after_what_it_acknowledged(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with rpc.connect() as client:
                rpc.peer.log.append("message", {"n": 1})
                begun = await subscribe(client, consumer="bot")
                assert (begun["acked"], begun["replayed_from"], begun["seq"]) == (1, None, 1)
                for n in range(2, 6):
                    rpc.peer.log.append("message", {"n": n})
                assert await seqs(client, 4) == [2, 3, 4, 5]
                acked = await client.call("events.ack", consumer="bot", seq=3)
                assert acked["result"] == {"consumer": "bot", "acked": 3}
            rpc.peer.log.append("message", {"n": 6})
            async with rpc.connect() as client:
                again = await subscribe(client, consumer="bot")
                assert (again["acked"], again["replayed_from"], again["seq"]) == (3, 4, 6)
                assert await seqs(client, 3) == [4, 5, 6]
                rpc.peer.log.append("message", {"n": 7})
                assert await seqs(client, 1) == [7]


async def test_since_begins_elsewhere_and_moves_nothing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(1, 10):
                rpc.peer.log.append("message", {"n": n})
            new = await subscribe(client, consumer="bot", since={"epoch": "e1", "seq": 4})
            assert (new["acked"], new["replayed_from"]) == (4, 5)
            assert await seqs(client, 5) == [5, 6, 7, 8, 9]
            later = await subscribe(client, consumer="bot", since={"epoch": "e1", "seq": 7})
            assert (later["acked"], later["replayed_from"]) == (4, 8)


async def test_the_newer_connection_takes_over(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as old, rpc.connect() as new:
            await subscribe(old, consumer="bot")
            rpc.peer.log.append("message", {"n": 1})
            assert await seqs(old, 1) == [1]
            await subscribe(new, consumer="bot")
            ended = await old.receive()
            assert ended["method"] == "events.ended"
            assert ended["params"] == {
                "subscription": "s1",
                "epoch": "e1",
                "last_seq": 1,
                "reason": "taken_over",
            }
            rpc.peer.log.append("message", {"n": 2})
            assert await seqs(new, 2) == [1, 2], "what the older one did not acknowledge comes again"
            assert (await old.call("daemon.version"))["result"], "nothing more came to the older one"
            gone = await old.call("events.unsubscribe", subscription="s1")
            assert gone["error"]["data"]["slug"] == "not_found"
            (row,) = (await new.call("events.consumers"))["result"]["items"]
            assert (row["name"], row["connected"], row["lag"]) == ("bot", True, 2)


async def test_a_stopped_reader_that_was_taken_over_is_told_when_it_reads(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as old, rpc.connect() as new:
            await subscribe(old, consumer="bot")
            for n in range(1, 3000):
                rpc.peer.log.append("message", {"n": n, "text": "x" * 1000})
                if n % 100 == 0:
                    await trio.lowlevel.checkpoint()
            await new.begin("events.subscribe", topics=["message"], consumer="bot")
            while (message := await old.receive())["method"] == "event":
                pass
            assert message["method"] in {"events.ended", "events.lagged"}


async def test_forgetting_ends_who_listens(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client, rpc.connect() as other:
            await subscribe(client, consumer="bot")
            assert (await other.call("events.forget", consumer="bot"))["result"] == {"ok": True}
            assert (await client.receive())["params"]["reason"] == "forgotten"
            for method in ("events.forget", "events.ack"):
                more = {"seq": 0} if method == "events.ack" else {}
                answer = await other.call(method, consumer="bot", **more)
                assert answer["error"]["data"]["slug"] == "not_found"


async def test_a_gap_is_named_and_both_ways_over_it_work(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            await subscribe(client, consumer="bot")
            for n in range(1, 10):
                rpc.peer.log.append("message", {"n": n})
            await seqs(client, 9)
            del rpc.peer.log.kept[:4]
            refused = (await client.call("events.subscribe", topics=["message"], consumer="bot"))["error"]
            data = refused["data"]
            assert data["slug"] == "cannot_replay"
            assert (data["acked"], data["first_seq"], data["last_seq"], data["epoch"]) == (0, 5, 9, "e1")
            assert "since" in data["hint"]
            rest = await subscribe(
                client, consumer="bot", since={"epoch": "e1", "seq": data["first_seq"] - 1}
            )
            assert rest["replayed_from"] == 5
            while (await client.receive())["params"].get("reason") != "taken_over":
                pass
            assert await seqs(client, 5) == [5, 6, 7, 8, 9]
            fresh = await subscribe(client, consumer="bot", snapshot=True)
            assert fresh["snapshot"]["unread"] == fresh["seq"] == 9
            assert fresh["replayed_from"] is None


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "ä", "a/b", "a\n"])
async def test_names_that_are_none(tmp_path, name):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            error = (await client.call("events.subscribe", topics=["message"], consumer=name))["error"]
            assert (error["data"]["slug"], error["data"]["field"]) == ("invalid_argument", "consumer")
            both = {"snapshot": True, "since": {"epoch": "e1", "seq": 0}}
            error = (await client.call("events.subscribe", topics=["message"], **both))["error"]
            assert error["data"]["field"] == "snapshot"


async def test_a_snapshot_and_the_events_after_it_are_everything_once(tmp_path):
    """The snapshot counts what the log held: with the events after its seq, that is all there is."""
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc:
            done = trio.Event()

            async def write():
                for n in range(3000):
                    rpc.peer.log.append("message", {"n": n})
                    if n % 3 == 0:
                        await trio.lowlevel.checkpoint()
                done.set()

            async def look():
                async with rpc.connect() as client:
                    begun = await subscribe(client, snapshot=True)
                    assert begun["snapshot"]["unread"] == begun["seq"]
                    found = await seqs(client, 3000 - begun["seq"])
                    assert found == list(range(begun["seq"] + 1, 3001))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                for _ in range(20):
                    nursery.start_soon(look)
                    await trio.lowlevel.checkpoint()
            assert done.is_set()


async def test_without_follow_it_ends_after_what_the_log_has(tmp_path):
    total = 2 * REPLAY_PAGE + 3
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for n in range(total):
                rpc.peer.log.append("message" if n % 2 else "contact", {"n": n})
            await subscribe(client, since={"epoch": "e1", "seq": 0}, follow=False)
            assert await seqs(client, total // 2) == list(range(2, total + 1, 2))
            ended = (await client.receive())["params"]
            assert (ended["reason"], ended["last_seq"]) == ("complete", total)
            rpc.peer.log.append("message", {"n": total})
            await subscribe(client, follow=False)
            assert (await client.receive())["params"]["reason"] == "complete"
            assert rpc.peer.log.bus._subscriptions == set()
