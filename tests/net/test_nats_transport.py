"""The NATS transport against a real nats-server: refusals, kills, freezes, renewal, supersession."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoint
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.clock import SystemClock
from kezd.runtime.transport import (
    Accepted,
    Destination,
    LinkState,
    LinkStatus,
)
from kezd.testing.small_home import SmallHome, make_signer

ALICE, BOB = make_signer(1), make_signer(2)


@asynccontextmanager
async def peer(
    home: SmallHome, signer=ALICE, installation="a" * 32, **options
) -> AsyncIterator[NatsTransport]:
    config = NatsConfig((parse_endpoint(home.url),), **options)
    async with NatsTransport.open(config, signer, installation, SystemClock()) as transport:
        yield transport


async def wait_state(transport: NatsTransport, state: LinkState) -> LinkStatus:
    status = transport.status()
    while status.state is not state:
        status = await transport.wait_status_change(status)
    return status


def inbox_of(home: SmallHome, signer=BOB) -> Destination:
    return Destination(home.url, f"kez.inbox.{signer.public.hex}", "0")


async def test_a_message_crosses(tmp_path: Path) -> None:
    with SmallHome.start(tmp_path, [ALICE, BOB]) as home, trio.fail_after(15):
        async with peer(home) as alice, peer(home, BOB) as bob:
            await wait_state(alice, LinkState.ONLINE)
            assert await alice.send(inbox_of(home), b"hello", "k1", first_attempt=True) == Accepted(False)
            [delivery] = await bob.receive()
            assert delivery.data == b"hello"
            await bob.ack([delivery])
        assert home.stored() == 0
