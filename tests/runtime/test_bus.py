"""The bus: order, coalescing, and the laggard that slows nobody."""

import trio
import trio.testing

from kezd.runtime.bus import QUEUE_BYTES, Bus, Event


async def test_each_subscriber_gets_its_topics_in_order():
    bus = Bus()
    with bus.subscribe(["message"]) as messages, bus.subscribe(["message", "contact"]) as both:
        bus.publish([Event(1, "message", {}), Event(2, "contact", {}), Event(3, "message", {})])
        assert [e.seq for e in await messages.receive_batch()] == [1, 3]
        assert [e.seq for e in await both.receive_batch()] == [1, 2, 3]
        assert messages.last_seq == 3


async def test_ephemeral_events_keep_only_the_latest_of_a_key():
    bus = Bus(queue_limit=4)
    with bus.subscribe(["link"]) as subscription:
        for number in range(100):
            bus.publish(
                [Event(0, "link", {"n": number}, key="nats"), Event(0, "link", {"n": number}, key="home")]
            )
        assert [(e.key, e.body["n"]) for e in await subscription.receive_batch()] == [
            ("nats", 99),
            ("home", 99),
        ]
        assert not subscription.lagged


async def test_coalescing_keeps_the_order_and_begins_anew_when_the_queue_was_taken():
    bus = Bus()
    with bus.subscribe(["link", "message"]) as subscription:
        for number in range(3):
            bus.publish([Event(number * 2 + 1, "message", {}), Event(0, "link", {"n": number}, key="nats")])
        assert [(e.seq, e.body.get("n")) for e in await subscription.receive_batch()] == [
            (1, None),
            (0, 2),
            (3, None),
            (5, None),
        ]
        bus.publish([Event(7, "message", {}), Event(0, "link", {"n": 9}, key="nats")])
        assert [(e.seq, e.body.get("n")) for e in await subscription.receive_batch()] == [(7, None), (0, 9)]


async def test_few_events_that_are_large_are_too_many_as_well():
    bus = Bus()
    large = b"x" * (QUEUE_BYTES // 4)
    with bus.subscribe(["message"]) as subscription:
        for seq in range(1, 5):
            bus.publish([Event(seq, "message", {}, encoded=large)])
        assert (bus.waiting, subscription.lagged) == ([4], False)
        bus.publish([Event(5, "message", {}, encoded=large)])
        assert (bus.waiting, subscription.lagged) == ([0], True)


async def test_a_laggard_is_closed_and_the_others_miss_nothing():
    bus = Bus(queue_limit=10)
    with bus.subscribe(["message"]) as slow, bus.subscribe(["message"]) as quick:
        got = []
        for seq in range(1, 21):
            bus.publish([Event(seq, "message", {})])
            got += [e.seq for e in await quick.receive_batch()]
        assert got == list(range(1, 21))
        assert slow.lagged
        assert await slow.receive_batch() == []
        assert slow.last_seq == 0


async def test_leaving_the_block_ends_the_iteration():
    bus = Bus()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            with bus.subscribe(["message"]) as subscription:
                seen = []

                async def read() -> None:
                    async for event in subscription:
                        seen.append(event.seq)

                nursery.start_soon(read)
                bus.publish([Event(1, "message", {})])
                await trio.testing.wait_all_tasks_blocked()
    assert seen == [1]
