import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Router

from kezd.home.http_wire import Edge
from kezd.home.metrics import Metrics
from kezd.home.rate_limit import RateLimit
from kezd.home.registry import PublicFacts, Registry
from kezd.home.sigchains import ChainCache, Sigchains
from kezd.home.store.registry_sqlite import REGISTRY_MIGRATIONS, SqliteRegistryStore
from kezd.home.store.sigchain_sqlite import SIGCHAIN_MIGRATIONS, SqliteSigchainStore
from kezd.home.store.sqlite import SqliteFile
from kezd.testing.home_driver import HomeProcess

NOW = 1_800_000_000


class HandClock:
    """A clock that a test sets."""

    def __init__(self, now=NOW):
        self.wall, self.mono = float(now), 1000.0

    def now(self):
        return self.wall

    def monotonic(self):
        return self.mono


class Site:
    """Both HTTP roles in this process on SQLite files, under a clock of the test's."""

    def __init__(self, directory, *, per_minute=1e6, burst=10**6, trusted=(), clock=None):
        self.clock = clock or HandClock()
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._limits = (per_minute, burst)
        self._trusted = trusted
        self.runner.run(self._open(directory))

    async def _open(self, directory):
        first = await self._stack.enter_async_context(SqliteFile.open(directory / "home.db", REGISTRY_MIGRATIONS))
        second = await self._stack.enter_async_context(SqliteFile.open(directory / "chains.db", SIGCHAIN_MIGRATIONS))
        self.registry_store, self.sigchain_store = SqliteRegistryStore(first), SqliteSigchainStore(second)
        metrics = Metrics(CollectorRegistry())
        facts = PublicFacts("kez.test", "9.9", "https://kez.test", "https://chains.test", ("nats://n.test",), False)
        limit = RateLimit(*self._limits, self.clock)
        registry = Registry(self.registry_store, facts, limit, self._trusted, self.clock, metrics)
        chains = Sigchains(self.sigchain_store, ChainCache(), limit, self._trusted, metrics)
        self.app = Edge(Router([*registry.routes(), *chains.routes()], redirect_slashes=False), metrics, bytes)

    def request(self, method, path, *, client=("203.0.113.1", 1), **options):
        async def ask():
            transport = httpx.ASGITransport(self.app, client=client)
            async with httpx.AsyncClient(transport=transport, base_url="http://kez.test") as http:
                return await http.request(method, path, **options)

        return self.runner.run(ask())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, content, **options):
        return self.request("POST", path, content=content, **options)

    def close(self):
        self.runner.run(self._stack.aclose())
        self.runner.close()


@pytest.fixture
def open_site(tmp_path):
    sites = []

    def opener(**options):
        site = Site(tmp_path, **options)
        sites.append(site)
        return site

    yield opener
    for site in sites:
        site.close()


@pytest.fixture
def site(open_site):
    return open_site()


@pytest.fixture(scope="module")
def module_site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture
def home(tmp_path):
    with HomeProcess.start(tmp_path / "home", extra_args=["--quota-interval", "0.2"]) as process:
        yield process
        assert process.errors() == []


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """One home for a module of tests that do not disturb each other."""
    with HomeProcess.start(tmp_path_factory.mktemp("home") / "home") as process:
        yield process
        assert process.errors() == []
