"""The constructors that tests put something in front of: database, transport, home, clock.

The only seam of the composition root. Production uses the defaults; `kezd.testing` wraps
them to kill the process at a chosen moment, so that no other code knows of tests.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kezd.daemon.channels import open_channels
from kezd.daemon.mirrors import open_mirrors
from kezd.kez.keys import PublicKey
from kezd.kez.signing import Signer
from kezd.net.home.client import HomeClient
from kezd.net.nats.config import NatsConfig
from kezd.net.nats.endpoint import parse_endpoints
from kezd.net.nats.transport import NatsTransport
from kezd.runtime.bus import Bus
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.settings import ChannelsSettings
from kezd.services.ports import ChainMirrors, Channels, HomeDirectory, MessageTransport, Publishers
from kezd.store.database import Database


@asynccontextmanager
async def open_nats(
    url: str, signer: Signer, primary: PublicKey, installation_id: str, clock: Clock, *, takeover: bool
) -> AsyncIterator[MessageTransport]:
    """The transport over NATS.

    Args:
        url: broker addresses of the own home, separated by commas.
        signer: the identity's key.
        primary: genesis primary.
        installation_id: 32 hex digits.
        clock: for times in statuses.
        takeover: make this installation the current one.
    """
    config = NatsConfig(endpoints=parse_endpoints(url))
    async with NatsTransport.open(config, signer, installation_id, clock, identity=primary) as transport:
        if takeover:
            transport.takeover()
        yield transport


OpenDatabase = Callable[[Path, bytes, Clock, Bus], AbstractAsyncContextManager[Database]]
OpenHome = Callable[..., AbstractAsyncContextManager[HomeDirectory]]
OpenChannels = Callable[[ChannelsSettings, str], AbstractAsyncContextManager[tuple[Channels, Publishers]]]
OpenMirrors = Callable[[ChannelsSettings, str], AbstractAsyncContextManager[ChainMirrors]]
OpenTransport = Callable[..., AbstractAsyncContextManager[MessageTransport]]


@dataclass(frozen=True, slots=True)
class Adapters:
    """How the peer reaches the outside."""

    open_database: OpenDatabase = Database.open
    open_home: OpenHome = HomeClient.open
    open_transport: OpenTransport = open_nats
    open_channels: OpenChannels = open_channels
    open_mirrors: OpenMirrors = open_mirrors
    clock: Clock = field(default_factory=SystemClock)
