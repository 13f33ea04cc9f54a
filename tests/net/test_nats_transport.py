"""The NATS transport on a real nats-server that is killed, frozen, short of everything."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from kezd.net.nats.transport import NatsTransport
from kezd.runtime.transport import (
    Accepted,
    Destination,
    LinkState,
    RefusalReason,
    Refused,
    TransportUnavailableError,
)
from kezd.testing.small_home import SmallHome, make_signer

ALICE, BOB = make_signer(1), make_signer(2)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    with SmallHome.start(tmp_path, [ALICE, BOB], stream={"max_msgs_per_subject": 100_000}) as home:
        yield home


def bobs(home: SmallHome) -> Destination:
    return Destination(home.url, f"kez.inbox.{BOB.public.hex}")


async def send_until_accepted(transport: NatsTransport, to: Destination, number: int) -> Accepted:
    """As the outbox does: the same bytes and key until an answer comes."""
    first = True
    while True:
        try:
            result = await transport.send(to, b"%d" % number, f"key-{number}", first_attempt=first)
        except TransportUnavailableError:
            first = False
            await trio.sleep(0.02)
        else:
            assert isinstance(result, Accepted), result
            return result


class Collector:
    """Receives and acknowledges numbers; `reached[n]` is set when n different ones were seen."""

    def __init__(self, *milestones: int) -> None:
        self.seen: set[int] = set()
        self.reached = {milestone: trio.Event() for milestone in milestones}

    async def run(self, transport: NatsTransport) -> None:
        while len(self.seen) < max(self.reached):
            deliveries = await transport.receive()
            self.seen.update(int(delivery.data) for delivery in deliveries)
            await transport.ack(deliveries)
            for milestone, event in self.reached.items():
                if len(self.seen) >= milestone:
                    event.set()


async def test_nothing_is_lost_when_the_server_is_killed_while_publishing(home, open_peer) -> None:
    numbers, collector = iter(range(2000)), Collector(500, 1000, 2000)
    with trio.fail_after(60):
        async with (
            open_peer(home.url, ALICE) as alice,
            open_peer(home.url, BOB, "b") as bob,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(collector.run, bob)

            async def publisher() -> None:
                for number in numbers:
                    await send_until_accepted(alice, bobs(home), number)

            for _ in range(10):
                nursery.start_soon(publisher)
            for milestone in (500, 1000):
                await collector.reached[milestone].wait()
                await trio.to_thread.run_sync(home.restart)
    assert collector.seen == set(range(2000))


async def test_sends_in_flight_fail_at_once_when_the_server_dies(home, open_peer) -> None:
    failed = 0
    with trio.fail_after(15):
        async with open_peer(home.url, ALICE) as alice:
            with home.frozen(), trio.move_on_after(10) as scope:
                async with trio.open_nursery() as nursery:

                    async def one(number: int) -> None:
                        nonlocal failed
                        try:
                            await alice.send(bobs(home), b"", f"k{number}", first_attempt=True)
                        except TransportUnavailableError:
                            failed += 1

                    for number in range(50):
                        nursery.start_soon(one, number)
                    await trio.sleep(0.1)
                    assert failed == 0
                    assert alice.status().queue_length == 50
                    home.kill()
                    scope.deadline = trio.current_time() + 1
    assert failed == 50


async def test_a_frozen_server_cancels_promptly_and_is_given_up(home, open_peer, wait_state) -> None:
    with trio.fail_after(30):
        async with open_peer(home.url, ALICE, attempt_timeout=1.0) as alice:
            with home.frozen():
                started = trio.current_time()
                with trio.move_on_after(0.3) as scope:
                    await alice.send(bobs(home), b"", "k", first_attempt=True)
                assert scope.cancelled_caught
                assert trio.current_time() - started < 0.6
                with pytest.raises(TransportUnavailableError):
                    await alice.send(bobs(home), b"", "k", first_attempt=False)
                assert trio.current_time() - started < 3
                status = await wait_state(alice, LinkState.OFFLINE)
                assert status.last_error
            await wait_state(alice, LinkState.ONLINE)
            assert isinstance(await send_until_accepted(alice, bobs(home), 7), Accepted)


async def test_closing_towards_a_frozen_server_is_quick(home, open_peer) -> None:
    with trio.fail_after(20):
        async with open_peer(home.url, ALICE) as alice:
            with home.frozen():
                async with trio.open_nursery() as nursery:
                    for number in range(20):
                        nursery.start_soon(
                            partial(alice.send, bobs(home), b"x" * 100_000, f"k{number}", first_attempt=True)
                        )
                    await trio.sleep(0.1)
                    nursery.cancel_scope.cancel()
                started = trio.current_time()
                async with open_peer(home.url, BOB, "b", wait=None):
                    pass
                assert trio.current_time() - started < 1


async def test_the_credential_is_renewed_without_a_gap(home, open_peer) -> None:
    home.terms.jwt_expires_in = 0.8
    longest, number = 0.0, 0
    with trio.fail_after(30):
        async with open_peer(home.url, ALICE) as alice, open_peer(home.url, BOB, "b") as bob:
            ends = trio.current_time() + 4
            while trio.current_time() < ends:
                started = trio.current_time()
                result = await alice.send(bobs(home), b"%d" % number, f"k{number}", first_attempt=True)
                longest = max(longest, trio.current_time() - started)
                assert result == Accepted()
                number += 1
            collector = Collector(number)
            await collector.run(bob)
            assert alice.status().state is LinkState.ONLINE
    assert collector.seen == set(range(number))
    assert home.terms.sessions >= 10
    assert longest < 0.5


async def test_receiving_goes_on_over_renewals_without_redelivery(home, open_peer) -> None:
    """What the former connection had asked for is taken before it closes (else: 30 s of waiting)."""
    home.terms.jwt_expires_in = 0.5
    with trio.fail_after(20):
        async with open_peer(home.url, ALICE) as alice, open_peer(home.url, BOB, "b") as bob:
            for number in range(200):
                await alice.send(bobs(home), b"%d" % number, f"k{number}", first_attempt=True)
                with trio.fail_after(5):
                    deliveries = await bob.receive()
                assert [delivery.data for delivery in deliveries] == [b"%d" % number]
                await bob.ack(deliveries)
                await trio.sleep(0.01)
    assert home.stored() == 0


async def test_unacknowledged_messages_stop_the_pulling(home, open_peer) -> None:
    got = []
    with trio.fail_after(30):
        async with open_peer(home.url, ALICE) as alice, trio.open_nursery() as nursery:
            for number in range(1500):
                nursery.start_soon(send_until_accepted, alice, bobs(home), number)
        home.terms.consumer_options["max_ack_pending"] = 100_000
        async with open_peer(home.url, BOB, "b") as bob:
            while len(got) < 1024:
                got += await bob.receive()
            with trio.move_on_after(0.5) as scope:
                got += await bob.receive()
            assert scope.cancelled_caught
            assert len(got) == 1024
            await bob.ack(got)
            while len(got) < 1500:
                deliveries = await bob.receive()
                assert len(deliveries) <= 256
                got += deliveries
                await bob.ack(deliveries)
    assert {int(delivery.data) for delivery in got} == set(range(1500))


async def test_large_messages_in_numbers(home, open_peer) -> None:
    got = 0
    with trio.fail_after(60):
        async with open_peer(home.url, ALICE) as alice, open_peer(home.url, BOB, "b") as bob:
            size = alice.capabilities.max_bytes
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    send = partial(alice.send, bobs(home), b"x" * size, f"k{number}", first_attempt=True)
                    nursery.start_soon(send)
            while got < 200:
                deliveries = await bob.receive()
                assert all(len(delivery.data) == size for delivery in deliveries)
                got += len(deliveries)
                await bob.ack(deliveries)


async def test_over_quota_is_said_and_asked_again(home, open_peer) -> None:
    home.terms.allowed = False
    with trio.fail_after(15):
        async with open_peer(home.url, ALICE, quota_retry=0.3) as alice:
            refused = await alice.send(bobs(home), b"", "k", first_attempt=True)
            assert refused == Refused(RefusalReason.QUOTA)
            home.terms.allowed = True
            while refused == Refused(RefusalReason.QUOTA):
                await trio.sleep(0.05)
                refused = await alice.send(bobs(home), b"", "k", first_attempt=True)
            assert refused == Accepted()


async def test_a_second_installation_waits_until_it_takes_over(home, open_peer, wait_state) -> None:
    with trio.fail_after(20):
        async with open_peer(home.url, BOB, "b"):
            pass
        async with open_peer(home.url, BOB, "c", wait=LinkState.SUPERSEDED) as other:
            sessions = home.terms.sessions
            with pytest.raises(TransportUnavailableError):
                await other.send(bobs(home), b"", "k", first_attempt=True)
            await trio.sleep(0.7)
            other.retry()
            await trio.sleep(0.3)
            assert home.terms.sessions == sessions  # it never asks by itself
            other.takeover()
            await wait_state(other, LinkState.ONLINE)
            assert home.terms.holder[BOB.public.hex] == (2, "c" * 32)
            assert await other.send(bobs(home), b"me", "k", first_attempt=True) == Accepted()
            assert [delivery.data for delivery in await other.receive()] == [b"me"]


async def test_a_wish_to_take_over_while_online_is_not_kept(home, open_peer, wait_state) -> None:
    with trio.fail_after(20):
        async with open_peer(home.url, BOB, "b") as bob:
            bob.takeover()
            home.terms.holder[BOB.public.hex] = (2, "c" * 32)
            await trio.to_thread.run_sync(home.restart)
            await wait_state(bob, LinkState.SUPERSEDED)


async def test_an_unknown_key_is_refused_and_asks_seldom(home, open_peer, wait_state) -> None:
    with trio.fail_after(15):
        async with open_peer(home.url, make_signer(77), wait=LinkState.REFUSED) as stranger:
            status = stranger.status()
            assert "uthorization" in (status.last_error or "")
            with trio.move_on_after(3):
                await stranger.wait_status_change(status)
            assert stranger.status() == status  # not asked again within five seconds
            stranger.retry()
            await stranger.wait_status_change(status)
            await wait_state(stranger, LinkState.REFUSED)


async def test_a_home_without_its_session_service_is_offline_until_it_comes(
    home, open_peer, wait_state
) -> None:
    home.stop_responder()
    with trio.fail_after(20):
        async with open_peer(home.url, ALICE, wait=LinkState.OFFLINE) as alice:
            await trio.to_thread.run_sync(home.start_responder)
            await wait_state(alice, LinkState.ONLINE)


async def test_a_deleted_consumer_is_noticed_and_asked_for_again(home, open_peer, wait_state) -> None:
    with trio.fail_after(20):
        async with open_peer(home.url, ALICE) as alice, open_peer(home.url, BOB, "b") as bob:
            status = bob.status()
            await trio.to_thread.run_sync(home.delete_consumer, BOB.public.hex)
            await bob.wait_status_change(status)
            await wait_state(bob, LinkState.ONLINE)
            await alice.send(bobs(home), b"still here", "k", first_attempt=True)
            assert [delivery.data for delivery in await bob.receive()] == [b"still here"]


async def test_status_tells_when_something_was_heard(home, open_peer) -> None:
    with trio.fail_after(15):
        async with open_peer(home.url, ALICE) as alice:
            before = alice.status().last_received_at
            assert before is not None
            await trio.sleep(0.01)
            await alice.send(bobs(home), b"", "k", first_attempt=True)
            after = alice.status().last_received_at
            assert after is not None
            assert after > before
            assert alice.status().last_error is None


async def test_a_send_while_offline_fails_promptly(open_peer) -> None:
    with trio.fail_after(5):
        async with open_peer("nats://127.0.0.1:9", ALICE, wait=LinkState.OFFLINE) as alice:
            to = Destination("nats://127.0.0.1:9", f"kez.inbox.{BOB.public.hex}")
            with trio.fail_after(0.5), pytest.raises(TransportUnavailableError):
                await alice.send(to, b"", "k", first_attempt=True)


@pytest.mark.parametrize(
    ("inbox", "device"),
    [
        ("kez.inbox.*", "0"),
        ("kez.inbox." + "a" * 64 + ".>", "0"),
        ("kez.inbox." + "a" * 64, "0.x"),
        ("$JS", "0"),
    ],
)
def test_a_destination_cannot_smuggle_a_subject(inbox: str, device: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Destination("nats://127.0.0.1", inbox, device)
