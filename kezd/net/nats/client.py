"""nats-py's client with the guards that a peer needs, and nothing that survives a connection.

One client is one connection attempt to one endpoint: no reconnecting, no discovered servers,
no redirect. Invariants: the key answers only a nonce (`Signer.nats_nonce` checks its shape),
only after TLS was verified or on loopback, and only towards the endpoint that was asked for,
because a rogue broker could relay another broker's nonce and log in as the person.
"""

import asyncio
import base64
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.protocol.parser import Parser

from kezd.kez.errors import KeyMaterialError, KezError
from kezd.net.nats.config import Credentials
from kezd.net.nats.endpoint import Endpoint
from kezd.net.nats.errors import HomeRefusedError, InsecureHomeError
from kezd.runtime.transport import TransportUnavailableError

log = logging.getLogger(__name__)

CALLOUT_SILENCE = 1.5
"""A refusal that took this many seconds is the server's callout time-out (2 s), not a decision."""

PING_INTERVAL = 20
CLOSE_GRACE = 1.0
OUTBOUND_BUFFER = 1024 * 1024
"""Bytes nats-py keeps before a publisher waits for the socket."""

INBOUND_BUFFER = 1024 * 1024
"""Bytes of one unfinished protocol message: a stranger's server does not choose our memory."""

GARBAGE = (ValueError, TypeError, AttributeError, LookupError, AssertionError, RecursionError)
"""What nats-py raises while connecting to something that does not speak NATS."""


class BoundedParser(Parser):
    """nats-py's parser with a limit on what it collects."""

    async def parse(self, data: bytes = b"") -> None:
        """Feed `data`; a message past `INBOUND_BUFFER`, or garbage, ends the connection."""
        if len(self.buf) + len(data) > INBOUND_BUFFER:
            raise nats.errors.ProtocolError
        try:
            await super().parse(data)
        except GARBAGE as error:
            raise nats.errors.ProtocolError from error


class GuardedClient(Client):
    """A client for one endpoint; see the module's invariants.

    The overridden methods are nats-py's own joints, not public ones: what a broker's misbehaviour
    does to each is pinned by `tests/net/test_rogue_broker.py`.
    """

    def __init__(self, endpoint: Endpoint, credentials: Credentials, events: "ClientEvents") -> None:
        super().__init__()
        self._events = events
        # nats-py has no public way to give a public nkey together with a signature callback
        self._public_nkey = credentials.signer.public.nkey
        self._ps = BoundedParser(self)
        self._endpoint = endpoint

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Refuse plaintext before anything is signed; forget addresses nobody configured."""
        if initial_connection and not self._endpoint.loopback and not info.get("tls_required"):
            raise InsecureHomeError(f"{self._endpoint.url} offers no TLS")
        info.pop("connect_urls", None)
        await super()._process_info(info, initial_connection)

    async def _process_op_err(self, e: Exception) -> None:
        """The socket or the protocol failed: nats-py would close here, and trip over its own buffer."""
        self._events.lose(str(e) or repr(e))

    async def _process_err(self, err_msg: str) -> None:
        """`-ERR` from the server: only a permission violation leaves the connection usable."""
        self._events.on_server_error(err_msg.strip("'"))

    def abort(self) -> None:
        """Drop the socket without waiting for what is still to be written."""
        transport = self._transport
        if isinstance(transport, TcpTransport):
            writer = transport._io_writer  # noqa: SLF001 - no public way to the socket of a stuck client
            if writer is not None:
                writer.transport.abort()

    def cancel_subscriptions(self) -> None:
        """End the tasks that nats-py forgets when its last flush meets a broken socket."""
        for subscription in self._subs.values():
            task: Any = subscription._wait_for_msgs_task  # noqa: SLF001 - no public way to it
            if task is not None:
                task.cancel()
        self._subs.clear()


async def open_client(
    endpoint: Endpoint,
    credentials: Credentials,
    tls: ssl.SSLContext | None,
    connect_timeout: float,
    events: "ClientEvents",
) -> GuardedClient:
    """Connect once.

    Raises:
        HomeRefusedError: the server decided against the key.
        TransportUnavailableError: everything else; the text says what.
    """
    client = GuardedClient(endpoint, credentials, events)
    loop = asyncio.get_running_loop()
    started = loop.time()

    def sign(nonce: object) -> bytes:
        if not isinstance(nonce, str):
            raise KeyMaterialError("the nonce is not text")
        return base64.b64encode(credentials.signer.nats_nonce(nonce))

    try:
        async with asyncio.timeout(connect_timeout):
            await client.connect(
                servers=[endpoint.url],
                name=credentials.name,
                signature_cb=sign,
                inbox_prefix=f"_INBOX_{credentials.hex}",
                tls=tls,
                allow_reconnect=False,
                connect_timeout=int(connect_timeout) + 1,
                ping_interval=PING_INTERVAL,
                pending_size=OUTBOUND_BUFFER,
                error_cb=events.on_error,
            )
    except (OSError, nats.errors.Error, KezError, InsecureHomeError, *GARBAGE) as error:
        client.abort()
        await asyncio.sleep(0)
        if "authorization violation" in str(error).lower() and loop.time() - started < CALLOUT_SILENCE:
            raise HomeRefusedError(str(error)) from error
        raise TransportUnavailableError(f"cannot connect to {endpoint.url}: {error!r}") from error
    except asyncio.CancelledError:
        client.abort()
        raise
    events.connected()
    return client


async def close_client(client: GuardedClient) -> None:
    """Close within `CLOSE_GRACE` seconds, whatever the server does."""
    closing = asyncio.ensure_future(client.close())
    try:
        done, _ = await asyncio.wait({closing}, timeout=CLOSE_GRACE)
        if not done:
            client.abort()
            await asyncio.wait({closing}, timeout=CLOSE_GRACE)
    finally:
        client.abort()
        client.cancel_subscriptions()
        closing.cancel()
    # RuntimeError: nats-py flushes its buffer into a socket that is closed already
    with contextlib.suppress(OSError, RuntimeError, nats.errors.Error, asyncio.CancelledError):
        await closing


class ClientEvents:
    """What becomes of one client. While connecting, the first error ends the attempt."""

    def __init__(self, on_violation: Callable[[str], None]) -> None:
        self._on_violation = on_violation
        self._connecting = True
        self.lost = asyncio.Event()
        self.reason = ""

    def connected(self) -> None:
        """From here on errors are noted, not raised."""
        self._connecting = False

    async def on_error(self, error: Exception) -> None:
        """nats-py's error callback."""
        if self._connecting:
            raise error
        log.debug("nats-py noted an error", extra={"error": repr(error)})

    def on_server_error(self, text: str) -> None:
        """The server's `-ERR`, which nats-py gives in lower case."""
        if "permissions violation" in text:
            self._on_violation(text)
        else:
            self.lose(text)

    def lose(self, reason: str) -> None:
        """The connection is of no more use."""
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()
