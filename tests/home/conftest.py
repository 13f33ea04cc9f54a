import asyncio  # noqa: TID251 - home is an asyncio process
import concurrent.futures
import secrets
import threading
from contextlib import AsyncExitStack

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Router

from kezd.home.app import open_home
from kezd.home.http_wire import Edge
from kezd.home.metrics import Metrics
from kezd.home.profiles import Profiles
from kezd.home.rate_limit import RateLimit
from kezd.home.registry import PublicFacts, Registry
from kezd.home.settings import Address, Role, Settings
from kezd.home.sigchains import ChainCache, Sigchains
from kezd.home.store.registry_sqlite import REGISTRY_MIGRATIONS, SqliteProfileStore, SqliteRegistryStore
from kezd.home.store.sigchain_sqlite import SIGCHAIN_MIGRATIONS, SqliteSigchainStore
from kezd.home.store.sqlite import SqliteFile
from kezd.runtime.clock import SystemClock
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person

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
        first = await self._stack.enter_async_context(
            SqliteFile.open(directory / "home.db", REGISTRY_MIGRATIONS)
        )
        second = await self._stack.enter_async_context(
            SqliteFile.open(directory / "chains.db", SIGCHAIN_MIGRATIONS)
        )
        self.registry_store, self.sigchain_store = SqliteRegistryStore(first), SqliteSigchainStore(second)
        metrics = Metrics(CollectorRegistry())
        facts = PublicFacts(
            "kez.test", "9.9", "https://kez.test", "https://chains.test", ("nats://n.test",), False
        )
        limit = RateLimit(*self._limits, self.clock)
        registry = Registry(
            self.registry_store, facts, limit, self._trusted, self.clock, metrics, self.sigchain_store
        )
        self.cache = ChainCache()
        chains = Sigchains(self.sigchain_store, self.cache, limit, self._trusted, metrics)
        profiles = Profiles(
            self.registry_store, SqliteProfileStore(first), self.sigchain_store, "kez.test", "https://kez.test",
            limit, self._trusted, self.clock, metrics,
        )  # fmt: skip
        routes = [*registry.routes(), *profiles.routes(), *chains.routes()]
        self.app = Edge(Router(routes, redirect_slashes=False), metrics, bytes)

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


class ThreadedHome:
    """A whole home server in this process: its loop in a thread, its clock and limits the test's."""

    def __init__(self, directory, **changes):
        # nats-server judges the JWTs by the machine's clock
        self.clock = HandClock(SystemClock().now())
        self.settings = Settings(
            role=Role.UP, directory=directory, bind=Address("127.0.0.1", 0), internal_bind=Address("127.0.0.1", 0),
            db=directory / "home.db", sigchain_db=directory / "chains.db", server="kez.test",
            nats_bind=Address("127.0.0.1", 0), register_per_minute=1e6, register_burst=10**6, quota_interval=1e6,
            **changes,
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="home")
        self._thread.start()
        self.home = self._ready.result(30)
        self.url, self.nats_url = self.home.url, self.home.nats_url

    def _run(self):
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self):
        try:
            async with open_home(self.settings, self.clock, secrets.token_bytes, "9.9") as home:
                self._ready.set_result(home)
                await self._stop.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def call(self, coroutine):
        """Run something on home's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def poll(self):
        """One round of the quota keeper."""
        self.call(self.home.keeper.poll())

    def person(self, name):
        """Somebody who registered under this home's clock."""
        person = Person(name)
        answer = httpx.post(
            f"{self.url}/v1/register", content=person.registration("kez.test", self.clock.now())
        )
        assert answer.status_code == 201, answer.text
        return person

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def open_threaded_home(tmp_path):
    homes = []

    def opener(**changes):
        homes.append(ThreadedHome(tmp_path / "threaded", **changes))
        return homes[-1]

    yield opener
    for threaded in homes:
        threaded.close()
