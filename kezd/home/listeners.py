"""uvicorn inside our own process: sockets bound first, started, drained, stopped.

Signals are `main`'s, not uvicorn's. Headers that a proxy adds are read by our own rule only.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from kezd.home.errors import HomeSetupError
from kezd.home.settings import Address

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5
BACKLOG = 2048


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@asynccontextmanager
async def serve_http(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    """Serve until the block ends; requests under way then get `DRAIN_SECONDS`."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, proxy_headers=False, server_header=False,
        backlog=BACKLOG, timeout_graceful_shutdown=DRAIN_SECONDS, ws="none", timeout_keep_alive=30,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    try:
        while not server.started:
            if serving.done():
                serving.result()
                raise HomeSetupError("the HTTP listener ended at once", hint="see the log")
            await asyncio.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        await serving


def bind(address: Address) -> socket.socket:
    """A listening TCP socket.

    Raises:
        HomeSetupError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise HomeSetupError(
            f"cannot listen on {address.host}:{address.port}: {error.strerror}",
            hint="stop what listens there, or choose another port (--bind, --internal-bind, --nats-bind)",
        ) from error
    return bound
