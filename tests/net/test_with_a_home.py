"""The transport against a real home: admission, expiry, takeover, guests, midnight's tags, quota."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio

from kezd.kez.envelope import encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.registration import registration_payload
from kezd.kez.signing import Signer
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.clock import SystemClock
from kezd.runtime.transport import (
    Accepted,
    Destination,
    LinkState,
    RefusalReason,
    Refused,
    TransportUnavailableError,
)
from kezd.testing.home_driver import HomeProcess
from kezd.testing.ports import free_port
from kezd.testing.small_home import make_signer

ALICE, BOB, CAROL = make_signer(1), make_signer(2), make_signer(3)
SERVER = "kez.test"


def register(home: HomeProcess, signer: Signer, name: str, server: str = SERVER) -> None:
    payload = registration_payload(Handle(name, server), signer.public, int(SystemClock().now()))
    answer = httpx.post(home.url + "/v1/register", content=encode_envelope(signer.registration(payload)))
    assert answer.status_code == 201, answer.text


def inbox(home: HomeProcess, signer: Signer) -> Destination:
    return Destination(home.nats_url, f"kez.inbox.{signer.public.hex}")


async def send_until_accepted(transport: NatsTransport, to: Destination, number: int) -> None:
    first = True
    while True:
        try:
            result = await transport.send(to, b"%d" % number, f"{number:032x}", first_attempt=first)
        except TransportUnavailableError:
            first = False
            await trio.sleep(0.02)
        else:
            assert isinstance(result, Accepted), result
            return


async def receive_all(transport: NatsTransport, seen: set[int], count: int) -> None:
    while len(seen) < count:
        deliveries = await transport.receive()
        seen.update(int(delivery.data) for delivery in deliveries)
        await transport.ack(deliveries)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[HomeProcess]:
    with HomeProcess.start(tmp_path / "home", server=SERVER, extra_args=["--jwt-ttl", "3"]) as home:
        register(home, ALICE, "alice")
        register(home, BOB, "bobby")
        yield home
        assert home.errors() == []


async def test_messages_cross_while_credentials_expire(home, open_peer) -> None:
    """Credentials of three seconds, six seconds of traffic: no send fails, none waits long."""
    longest, number, seen = 0.0, 0, set()
    with trio.fail_after(60):
        async with open_peer(home.nats_url, ALICE) as alice, open_peer(home.nats_url, BOB, "b") as bob:
            ends = trio.current_time() + 6
            while trio.current_time() < ends:
                started = trio.current_time()
                result = await alice.send(
                    inbox(home, BOB), b"%d" % number, f"{number:032x}", first_attempt=True
                )
                assert result == Accepted()
                longest = max(longest, trio.current_time() - started)
                number += 1
                if number % 500 == 0:
                    await receive_all(bob, seen, number)
            await receive_all(bob, seen, number)
            assert alice.status().state is bob.status().state is LinkState.ONLINE
    assert seen == set(range(number))
    assert longest < 1


async def test_a_stranger_is_refused_until_registered(home, open_peer, wait_state) -> None:
    with trio.fail_after(20):
        async with open_peer(home.nats_url, CAROL, wait=LinkState.REFUSED) as carol:
            await trio.to_thread.run_sync(register, home, CAROL, "carol")
            carol.retry()
            await wait_state(carol, LinkState.ONLINE)


async def test_the_older_installation_is_superseded_and_stays_so(home, open_peer, wait_state) -> None:
    got: list[bytes] = []
    with trio.fail_after(40):
        async with (
            open_peer(home.nats_url, ALICE) as alice,
            open_peer(home.nats_url, BOB, "b") as older,
            open_peer(home.nats_url, BOB, "c", wait=LinkState.SUPERSEDED) as newer,
        ):
            await alice.send(inbox(home, BOB), b"before", f"{1:032x}", first_attempt=True)
            await older.receive()  # received and never acknowledged: it must come to the newer one
            newer.takeover()
            await wait_state(newer, LinkState.ONLINE)
            await wait_state(older, LinkState.SUPERSEDED)
            await alice.send(inbox(home, BOB), b"after", f"{2:032x}", first_attempt=True)
            while len(got) < 2:
                deliveries = await newer.receive()
                got += [delivery.data for delivery in deliveries]
                await newer.ack(deliveries)
            with pytest.raises(TransportUnavailableError):
                await older.send(inbox(home, ALICE), b"", f"{3:032x}", first_attempt=True)
            await trio.sleep(4)  # a credential's life: it does not come back by itself
            assert older.status().state is LinkState.SUPERSEDED
            assert newer.status().state is LinkState.ONLINE
            older.takeover()
            await wait_state(older, LinkState.ONLINE)
            await wait_state(newer, LinkState.SUPERSEDED)
    assert sorted(got) == [b"after", b"before"]


async def test_what_was_not_acknowledged_comes_again_at_once_after_a_restart(home, open_peer) -> None:
    """Given back at closing, not left to the consumer's `ack_wait`."""
    with trio.fail_after(20):
        async with open_peer(home.nats_url, ALICE) as alice:
            async with open_peer(home.nats_url, BOB, "b") as bob:
                for number in range(3):
                    await alice.send(inbox(home, BOB), b"%d" % number, f"{number:032x}", first_attempt=True)
                seen: list[bytes] = []
                while len(seen) < 3:
                    seen += [delivery.data for delivery in await bob.receive()]
            async with open_peer(home.nats_url, BOB, "b") as bob:
                again: set[int] = set()
                with trio.fail_after(5):
                    await receive_all(bob, again, 3)
    assert again == {0, 1, 2}


async def test_nothing_is_lost_when_nats_and_home_are_killed(home, open_peer) -> None:
    seen: set[int] = set()
    numbers = iter(range(1500))
    first, second = trio.Event(), trio.Event()
    with trio.fail_after(90):
        async with (
            open_peer(home.nats_url, ALICE) as alice,
            open_peer(home.nats_url, BOB, "b") as bob,
            trio.open_nursery() as nursery,
        ):

            async def publisher() -> None:
                for number in numbers:
                    await send_until_accepted(alice, inbox(home, BOB), number)
                    if number == 400:
                        first.set()
                    if number == 800:
                        second.set()

            for _ in range(5):
                nursery.start_soon(publisher)
            nursery.start_soon(receive_all, bob, seen, 1500)
            await first.wait()
            await trio.to_thread.run_sync(home.kill_nats)
            await second.wait()
            await trio.to_thread.run_sync(home.kill)
            await trio.to_thread.run_sync(home.restart)
    assert seen == set(range(1500))


async def test_abroad_as_a_guest_or_not_at_all(home, tmp_path: Path, open_peer) -> None:
    with (
        trio.fail_after(40),
        HomeProcess.start(tmp_path / "open", server="open.test", guests=True) as hosts,
        HomeProcess.start(tmp_path / "closed", server="closed.test") as closed,
    ):
        register(hosts, CAROL, "carol", "open.test")
        async with open_peer(home.nats_url, ALICE) as alice, open_peer(hosts.nats_url, CAROL, "d") as carol:
            to = inbox(hosts, CAROL)
            assert await alice.send(to, b"1", f"{1:032x}", first_attempt=True) == Accepted()
            repeated = await alice.send(to, b"1", f"{1:032x}", first_attempt=False)
            assert repeated == Accepted(duplicate=True)
            [delivery] = await carol.receive()
            assert delivery.data == b"1"
            await carol.ack([delivery])
            for number in range(2):
                refused = await alice.send(inbox(closed, CAROL), b"", f"{number:032x}", first_attempt=True)
                assert refused == Refused(RefusalReason.FOREIGN_HOME)
            hosts.kill_nats()
            with trio.fail_after(20):
                await send_until_accepted(alice, to, 2)
            assert [delivery.data for delivery in await carol.receive()] == [b"2"]


async def test_idle_guests_are_closed_and_come_back(home, tmp_path: Path, open_peer) -> None:
    monitoring = f"127.0.0.1:{free_port()}"
    options = {"server": "open.test", "guests": True, "extra_args": ["--nats-monitoring", monitoring]}
    guest = ALICE.nats_guest("127.0.0.1").public.nkey

    def guest_connections() -> int:
        connections = httpx.get(f"http://{monitoring}/connz?auth=true").json()["connections"]
        return sum(guest in str(connection) for connection in connections)

    with trio.fail_after(30), HomeProcess.start(tmp_path / "open", **options) as hosts:
        register(hosts, CAROL, "carol", "open.test")
        async with open_peer(home.nats_url, ALICE, guest_idle=0.3) as alice:
            for number in range(3):
                result = await alice.send(inbox(hosts, CAROL), b"", f"{number:032x}", first_attempt=True)
                assert result == Accepted()
                assert await trio.to_thread.run_sync(guest_connections) == 1
                while await trio.to_thread.run_sync(guest_connections):
                    await trio.sleep(0.05)


async def test_receiving_goes_on_over_expiring_credentials(home, open_peer) -> None:
    """No message waits for the consumer's `ack_wait` because a connection was replaced under it."""
    with trio.fail_after(40):
        async with open_peer(home.nats_url, ALICE) as alice, open_peer(home.nats_url, BOB, "b") as bob:
            ends, number = trio.current_time() + 5, 0
            while trio.current_time() < ends:
                await alice.send(inbox(home, BOB), b"%d" % number, f"{number:032x}", first_attempt=True)
                with trio.fail_after(3):
                    deliveries = await bob.receive()
                assert [delivery.data for delivery in deliveries] == [b"%d" % number]
                await bob.ack(deliveries)
                number += 1
