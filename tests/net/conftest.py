"""What the transport's tests share: a peer on a home, and waiting for a state."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trustme

from kezd.kez.signing import Signer
from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoint
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.clock import SystemClock
from kezd.runtime.transport import LinkState, LinkStatus
from kezd.testing.small_relay import Relay, open_relay
from kezd.testing.small_web import Web, open_web

Peer = Callable[..., AbstractAsyncContextManager[NatsTransport]]


@pytest.fixture
def open_peer() -> Peer:
    """`open_peer(url, signer, installation_letter, wait=state, **config)`."""

    @asynccontextmanager
    async def open_peer(
        url: str,
        signer: Signer,
        installation: str = "a",
        wait: LinkState | None = LinkState.ONLINE,
        **options: object,
    ) -> AsyncIterator[NatsTransport]:
        config = NatsConfig((parse_endpoint(url),), **options)
        async with NatsTransport.open(config, signer, installation * 32, SystemClock()) as transport:
            status = transport.status()
            while wait is not None and status.state is not wait:
                status = await transport.wait_status_change(status)
            yield transport

    return open_peer


@pytest.fixture
def wait_state() -> Callable[[NatsTransport, LinkState], object]:
    """Wait until a transport is in a state."""

    async def wait_state(transport: NatsTransport, state: LinkState) -> LinkStatus:
        status = transport.status()
        while status.state is not state:
            status = await transport.wait_status_change(status)
        return status

    return wait_state


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def web(authority: trustme.CA) -> AsyncIterator[Web]:
    names = (
        "example.com",
        "www.example.com",
        "other.example",
        "evil.example",
        "api.github.test",
        "localhost",
    )
    async with open_web(authority, *names) as web:
        yield web


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with open_relay() as relay:
        yield relay
