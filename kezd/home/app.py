"""Composition root of the home server: everything is built here, in one nest, and handed down.

`open_home` returns when everything answers and unwinds in reverse: HTTP drains first, then the
NATS side, then nats-server, then the databases, then the lock of the state directory.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from kezd.home.errors import HomeSetupError
from kezd.home.http_wire import Edge, Endpoint
from kezd.home.internal import Internal
from kezd.home.listeners import bind, serve_http
from kezd.home.metrics import Metrics
from kezd.home.nats_config import NatsConfig, render_nats_config
from kezd.home.nats_keys import HomeKeys, create_missing_keys, load_keys
from kezd.home.nats_side import HomeStores, NatsSide
from kezd.home.nats_supervisor import NatsSupervisor, find_nats_server
from kezd.home.profiles import Profiles
from kezd.home.quota import QuotaKeeper
from kezd.home.rate_limit import RateLimit
from kezd.home.registry import PublicFacts, Registry
from kezd.home.settings import Role, Settings
from kezd.home.sigchains import ChainCache, Sigchains
from kezd.home.store.ports import SigchainStore
from kezd.home.store.registry_sqlite import (
    REGISTRY_MIGRATIONS,
    SqliteProfileStore,
    SqliteRegistryStore,
    SqliteSessionStore,
    SqliteTagKeyStore,
)
from kezd.home.store.sigchain_sqlite import SIGCHAIN_MIGRATIONS, SqliteSigchainStore
from kezd.home.store.sqlite import SqliteFile
from kezd.home.web_page import front_page
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 10.0
DISK_SHARE_SERVER = 0.8
DISK_SHARE_STREAM = 0.75
"""Of the disk, for what JetStream may write at most, and for the inbox stream inside that."""

FOREIGN_STREAM_BYTES = 10 * 1024 * 1024 * 1024
"""The inbox stream on an operator's own NATS, whose disks are not seen from here."""


@dataclass(frozen=True, slots=True)
class Home:
    """What runs, for the ready line and for tests."""

    url: str
    internal_url: str
    nats_url: str | None
    supervisor: NatsSupervisor | None
    side: NatsSide | None
    keeper: QuotaKeeper | None


@asynccontextmanager
async def open_home(
    settings: Settings, clock: Clock, random_bytes: Callable[[int], bytes], version: str
) -> AsyncIterator[Home]:
    """Run a home server until the block ends.

    Raises:
        HomeSetupError: with what the operator can do.
    """
    metrics = Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        make_directory(settings.directory)
        lock_fd = stack.enter_context(await _lock(settings.directory))
        public = stack.enter_context(contextlib.closing(bind(settings.bind)))
        internal = stack.enter_context(contextlib.closing(bind(settings.internal_bind)))
        own_url = settings.bind.url(public.getsockname()[1])
        public_url = settings.public_url or own_url
        sigchains = await _open_sigchains(stack, settings)
        side = supervisor = keeper = None
        nats_urls: tuple[str, ...] = ()
        routes: list[BaseRoute] = []
        if settings.role is not Role.SIGCHAIN:
            file = await stack.enter_async_context(SqliteFile.open(settings.db, REGISTRY_MIGRATIONS))
            registry_store = SqliteRegistryStore(file)
            stores = HomeStores(registry_store, SqliteSessionStore(file), SqliteTagKeyStore(file), sigchains)
            side = NatsSide(settings, stores, clock, random_bytes, metrics)
            if settings.has_nats:
                keys = _keys(settings, random_bytes)
                if settings.embedded_nats:
                    supervisor = await _start_nats(stack, settings, keys, lock_fd, clock)
                nats_urls = (supervisor.url,) if supervisor else settings.own_nats_urls
                max_bytes = _stream_bytes(settings)
                keeper = await stack.enter_async_context(side.serve(nats_urls, keys, max_bytes))
            facts = PublicFacts(
                settings.server, version, public_url, _sigchain_url(settings, public_url),
                settings.nats_public_urls or nats_urls, settings.guests,
            )  # fmt: skip
            limit = RateLimit(settings.register_per_minute, settings.register_burst, clock)
            routes += Registry(
                registry_store, facts, limit, settings.trusted_proxies, clock, metrics, sigchains
            ).routes()
            routes += Profiles(
                registry_store, SqliteProfileStore(file), sigchains, settings.server, public_url, limit,
                settings.trusted_proxies, clock, metrics,
            ).routes()  # fmt: skip
        if sigchains is not None:
            limit = RateLimit(settings.sigchain_per_minute, settings.sigchain_burst, clock)
            routes += Sigchains(sigchains, ChainCache(), limit, settings.trusted_proxies, metrics).routes()
        routes.append(_front(settings, public_url, metrics))
        inner = Internal(side.gate if side else None, settings.limits, metrics).routes()
        await stack.enter_async_context(serve_http(_edge(inner, metrics, random_bytes), internal))
        await stack.enter_async_context(serve_http(_edge(routes, metrics, random_bytes), public))
        yield Home(
            url=own_url, internal_url=settings.internal_bind.url(internal.getsockname()[1]),
            nats_url=nats_urls[0] if nats_urls else None, supervisor=supervisor, side=side, keeper=keeper,
        )  # fmt: skip


def make_directory(directory: Path) -> None:
    """Make what is missing of it, for its owner only.

    Raises:
        HomeSetupError: it is a file, or we may not write there.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / "lock").touch(mode=0o600)
    except OSError as error:
        raise HomeSetupError(
            f"cannot write to {directory}: {error.strerror}",
            hint="choose a directory that you can write to: --dir",
        ) from error


def nats_config(settings: Settings, port: int) -> NatsConfig:
    """What goes into this home's nats.conf."""
    directory = settings.directory
    return NatsConfig(
        host=settings.nats_bind.host,
        port=port,
        store_dir=directory / "nats",
        log_path=directory / "nats.log",
        pid_path=directory / "nats.pid",
        max_file_bytes=int(shutil.disk_usage(directory).total * DISK_SHARE_SERVER),
        sync_interval=settings.sync_interval,
        websocket=settings.nats_websocket,
        monitoring=settings.nats_monitoring,
    )


async def _open_sigchains(stack: AsyncExitStack, settings: Settings) -> SigchainStore | None:
    if settings.role is Role.REGISTRY:
        return None
    file = await stack.enter_async_context(SqliteFile.open(settings.sigchain_db, SIGCHAIN_MIGRATIONS))
    return SqliteSigchainStore(file)


def _keys(settings: Settings, random_bytes: Callable[[int], bytes]) -> HomeKeys:
    if settings.embedded_nats:
        create_missing_keys(settings.keys_directory, random_bytes)
    handed_over = settings.credentials is not None
    return load_keys(settings.keys_directory, settings.issuer_path, handed_over=handed_over)


async def _start_nats(
    stack: AsyncExitStack, settings: Settings, keys: HomeKeys, lock_fd: int, clock: Clock
) -> NatsSupervisor:
    program, host = find_nats_server(), settings.nats_bind.host
    with contextlib.closing(bind(settings.nats_bind)) as probe:
        port: int = probe.getsockname()[1]
    path = settings.directory / "nats.conf"
    path.write_text(render_nats_config(nats_config(settings, port), keys))
    return await stack.enter_async_context(NatsSupervisor.open(program, path, host, port, lock_fd, clock))


def _stream_bytes(settings: Settings) -> int:
    if settings.inbox_max_bytes is not None:
        return settings.inbox_max_bytes
    if not settings.embedded_nats:
        return FOREIGN_STREAM_BYTES
    store = settings.directory / "nats"
    used = sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) if store.exists() else 0
    return int((shutil.disk_usage(settings.directory).free + used) * DISK_SHARE_STREAM)


def _sigchain_url(settings: Settings, public_url: str) -> str:
    """`up` serves both roles on one address, so its own URL is the default there."""
    if settings.sig_server_url is not None:
        return settings.sig_server_url.rstrip("/")
    return public_url if settings.role is Role.UP else "http://localhost:7878"


def _front(settings: Settings, public_url: str, metrics: Metrics) -> BaseRoute:
    if settings.web_dir is not None:
        if not settings.web_dir.is_dir():
            raise HomeSetupError(f"there is no directory {settings.web_dir}", hint="see --web-dir")
        return Mount("/", StaticFiles(directory=settings.web_dir, html=True))
    return Route("/", Endpoint("/", front_page(settings.server, public_url), metrics), methods=["GET"])


def _edge(routes: Sequence[BaseRoute], metrics: Metrics, random_bytes: Callable[[int], bytes]) -> Edge:
    return Edge(Router(routes, redirect_slashes=False), metrics, random_bytes)


async def _lock(directory: Path) -> contextlib.AbstractContextManager[int]:
    """One home per directory; a nats-server that outlives its home by a moment is waited for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_WAIT_SECONDS
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if loop.time() > deadline:
                os.close(descriptor)
                raise HomeSetupError(
                    f"another kezd-home runs in {directory}", hint="stop it, or use another --dir"
                ) from error
            await asyncio.sleep(0.02)
        else:
            return _held(descriptor)


@contextmanager
def _held(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
