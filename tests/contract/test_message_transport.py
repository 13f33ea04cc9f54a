"""What every message transport promises, run on each real one (NATS, the spool) and on the tests' own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoint
from kezd.net.nats.transport import NatsTransport
from kezd.net.spool import Spool, SpoolConfig
from kezd.runtime.clock import SystemClock
from kezd.runtime.transport import (
    Accepted,
    Delivery,
    Destination,
    LinkState,
    RefusalReason,
    Refused,
    TransportUnavailableError,
)
from kezd.testing.memory_pipe import MemoryBroker, MemoryPipe
from kezd.testing.small_home import SmallHome, make_signer

Transport = NatsTransport | Spool | MemoryPipe
ALICE, BOB = make_signer(1), make_signer(2)
PENDING_LIMIT = 20
DEADLINE = 30


def inbox(signer) -> str:
    return f"kez.inbox.{signer.public.hex}"


@dataclass
class World:
    """One kind of pipe with two peers, Alice and Bob."""

    alice: Callable[[], AbstractAsyncContextManager[Transport]]
    bob: Callable[[], AbstractAsyncContextManager[Transport]]
    bobs: Destination
    elsewhere: Destination
    break_it: Callable[[], None]
    small_pipe: Callable[[], AbstractAsyncContextManager[tuple[Transport, Destination]]]


def nats_world(tmp_path: Path, stack: ExitStack) -> World:
    limits = {"max_msgs_per_subject": PENDING_LIMIT}
    guest = ALICE.nats_guest("127.0.0.1")
    home = stack.enter_context(SmallHome.start(make_dir(tmp_path / "home"), [ALICE, BOB], stream=limits))
    other = stack.enter_context(SmallHome.start(make_dir(tmp_path / "other"), [BOB]))
    assert guest.public != ALICE.public

    @asynccontextmanager
    async def peer(at: SmallHome, signer, installation: str) -> AsyncIterator[Transport]:
        config = NatsConfig((parse_endpoint(at.url),))
        async with NatsTransport.open(config, signer, installation * 32, SystemClock()) as transport:
            await wait_online(transport)
            yield transport

    @asynccontextmanager
    async def small_pipe() -> AsyncIterator[tuple[Transport, Destination]]:
        tiny = {"max_bytes": 4096}
        with SmallHome.start(make_dir(tmp_path / "tiny"), [ALICE, BOB], stream=tiny) as small:
            async with peer(small, ALICE, "a") as transport:
                yield transport, Destination(small.url, inbox(BOB))

    return World(
        lambda: peer(home, ALICE, "a"),
        lambda: peer(home, BOB, "b"),
        Destination(home.url, inbox(BOB)),
        Destination(other.url, inbox(BOB)),
        home.kill,
        small_pipe,
    )


def spool_world(tmp_path: Path, _stack: ExitStack) -> World:
    path = make_dir(tmp_path / "spool") / "spool.db"

    @asynccontextmanager
    async def peer(signer, file: Path, **limits: int) -> AsyncIterator[Transport]:
        config = SpoolConfig(file, inbox(signer), **limits)
        async with Spool.open(config, SystemClock()) as spool:
            yield spool

    @asynccontextmanager
    async def small_pipe() -> AsyncIterator[tuple[Transport, Destination]]:
        file = make_dir(tmp_path / "tiny") / "spool.db"
        async with peer(ALICE, file, max_bytes=4096) as spool:
            yield spool, Destination(file.as_uri(), inbox(BOB))

    def break_it() -> None:
        for part in path.parent.iterdir():
            part.unlink()
        path.parent.rmdir()
        path.parent.write_text("not a directory")

    return World(
        lambda: peer(ALICE, path, max_pending=PENDING_LIMIT),
        lambda: peer(BOB, path),
        Destination(path.as_uri(), inbox(BOB)),
        Destination((tmp_path / "elsewhere.db").as_uri(), inbox(BOB)),
        break_it,
        small_pipe,
    )


def memory_world(_tmp_path: Path, _stack: ExitStack) -> World:
    broker = MemoryBroker(max_pending=PENDING_LIMIT)

    @asynccontextmanager
    async def small_pipe() -> AsyncIterator[tuple[Transport, Destination]]:
        tiny = MemoryBroker(max_bytes=4096)
        async with MemoryPipe.open(tiny, inbox(ALICE), SystemClock()) as pipe:
            yield pipe, Destination(tiny.url, inbox(BOB))

    return World(
        lambda: MemoryPipe.open(broker, inbox(ALICE), SystemClock()),
        lambda: MemoryPipe.open(broker, inbox(BOB), SystemClock()),
        Destination(broker.url, inbox(BOB)),
        Destination("memory://elsewhere", inbox(BOB)),
        lambda: broker.switch(up=False),
        small_pipe,
    )


def make_dir(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture(params=[nats_world, spool_world, memory_world], ids=["nats", "spool", "memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


async def wait_online(transport: Transport) -> None:
    status = transport.status()
    while status.state is not LinkState.ONLINE:
        status = await transport.wait_status_change(status)


async def receive(transport: Transport, count: int) -> list[Delivery]:
    got: list[Delivery] = []
    while len(got) < count:
        got += await transport.receive()
    return got


async def send_forever(transport: Transport, to: Destination) -> None:
    while True:
        await transport.send(to, b"", "again and again", first_attempt=False)


async def test_order_bytes_and_times(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice, world.bob() as bob:
            before = SystemClock().now()
            sent = [bytes([n]) * (n * 100 + 1) for n in range(10)]
            for n, data in enumerate(sent):
                assert await alice.send(world.bobs, data, f"key-{n}", first_attempt=True) == Accepted()
            got = await receive(bob, 10)
            await bob.ack(got)
    assert [delivery.data for delivery in got] == sent
    assert all(before <= delivery.received_at <= SystemClock().now() for delivery in got)


async def test_a_repeat_is_told_and_not_delivered_twice(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice, world.bob() as bob:
            assert await alice.send(world.bobs, b"1", "same", first_attempt=True) == Accepted(False)
            assert await alice.send(world.bobs, b"1", "same", first_attempt=False) == Accepted(True)
            refused = await alice.send(world.bobs, b"1", "same", first_attempt=True)
            assert refused == Refused(RefusalReason.DUPLICATE_ID)
            await alice.send(world.bobs, b"2", "other", first_attempt=True)
            got = await receive(bob, 2)
            await bob.ack(got)
    assert [delivery.data for delivery in got] == [b"1", b"2"]


async def test_acknowledged_is_gone_the_rest_comes_again(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice:
            for n in range(6):
                await alice.send(world.bobs, b"%d" % n, f"key-{n}", first_attempt=True)
        async with world.bob() as bob:
            got = await receive(bob, 6)
            await bob.ack(got[:2] + got[3:4])
        async with world.bob() as bob:
            again = await receive(bob, 3)
            assert sorted(delivery.data for delivery in again) == [b"2", b"4", b"5"]
            await bob.ack(again)
        async with world.alice() as alice, world.bob() as bob:
            await alice.send(world.bobs, b"last", "last", first_attempt=True)
            assert [delivery.data for delivery in await bob.receive()] == [b"last"]


async def test_not_received_is_kept(world: World) -> None:
    """A receive that is cancelled while messages arrive loses none of them."""
    got: list[bytes] = []
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice, world.bob() as bob, trio.open_nursery() as nursery:

            async def send_all() -> None:
                for n in range(15):
                    await alice.send(world.bobs, b"%d" % n, f"key-{n}", first_attempt=True)

            nursery.start_soon(send_all)
            while len(got) < 15:
                with trio.move_on_after(0.002):
                    deliveries = await bob.receive()
                    got += [delivery.data for delivery in deliveries]
                    await bob.ack(deliveries)
    assert got == [b"%d" % n for n in range(15)]


async def test_too_large_full_and_foreign(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice:
            limit = alice.capabilities.max_bytes
            too_large = await alice.send(world.bobs, b"x" * (limit + 1), "large", first_attempt=True)
            assert too_large == Refused(RefusalReason.TOO_LARGE)
            assert await alice.send(world.bobs, b"x" * limit, "fits", first_attempt=True) == Accepted()
            for n in range(PENDING_LIMIT - 1):
                assert await alice.send(world.bobs, b"", f"key-{n}", first_attempt=True) == Accepted()
            full = await alice.send(world.bobs, b"", "one-more", first_attempt=True)
            assert full == Refused(RefusalReason.INBOX_FULL)
            foreign = await alice.send(world.elsewhere, b"", "abroad", first_attempt=True)
            assert foreign == Refused(RefusalReason.FOREIGN_HOME)
            async with world.bob() as bob:
                await bob.ack(await receive(bob, PENDING_LIMIT))
        async with world.alice() as alice:
            assert await alice.send(world.bobs, b"", "again", first_attempt=True) == Accepted()


async def test_the_whole_pipe_is_full(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.small_pipe() as (transport, bobs):
            results = [
                await transport.send(bobs, b"x" * 900, f"key-{n}", first_attempt=True) for n in range(6)
            ]
    assert results[0] == Accepted()
    assert results[-1] == Refused(RefusalReason.HOME_FULL)


async def test_a_broken_pipe_is_unavailable_at_once_and_says_so(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice:
            await alice.send(world.bobs, b"", "first", first_attempt=True)
            status = alice.status()
            assert status.state is LinkState.ONLINE
            world.break_it()
            with trio.fail_after(8), pytest.raises(TransportUnavailableError):
                await send_forever(alice, world.bobs)
            while status.state is LinkState.ONLINE:
                status = await alice.wait_status_change(status)
            assert status.last_error


async def test_sends_cancelled_anywhere_leave_nothing_hung(world: World) -> None:
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice, world.bob() as bob:
            for n in range(PENDING_LIMIT - 2):
                with trio.move_on_after(n * 0.0002):
                    await alice.send(world.bobs, b"%d" % n, f"key-{n}", first_attempt=True)
            assert alice.status().queue_length == 0
            for n in range(PENDING_LIMIT - 2):
                await alice.send(world.bobs, b"%d" % n, f"key-{n}", first_attempt=False)
            got = await receive(bob, PENDING_LIMIT - 2)
            await bob.ack(got)
    assert sorted(int(delivery.data) for delivery in got) == list(range(PENDING_LIMIT - 2))


async def test_many_sends_at_once(world: World) -> None:
    results: list[object] = []
    with trio.fail_after(DEADLINE):
        async with world.alice() as alice, world.bob() as bob:
            async with trio.open_nursery() as nursery:

                async def one(n: int) -> None:
                    results.append(await alice.send(world.bobs, b"%d" % n, f"k{n}", first_attempt=True))

                for n in range(PENDING_LIMIT):
                    nursery.start_soon(one, n)
            got = await receive(bob, PENDING_LIMIT)
            await bob.ack(got)
    assert results == [Accepted()] * PENDING_LIMIT
    assert sorted(int(delivery.data) for delivery in got) == list(range(PENDING_LIMIT))
