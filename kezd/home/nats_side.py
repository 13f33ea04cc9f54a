"""The NATS side of home, put together: links, stream, callout, sessions, quota.

Opens in the order in which the parts need each other; the callout subscribes last, so that
nobody is let in before their inbox can be served.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from kezd.home.auth_callout import AUTH_SUBJECT, QUEUE, AuthCallout, Grants
from kezd.home.beside import running_beside
from kezd.home.errors import HomeUnavailableError
from kezd.home.gate import Gate
from kezd.home.identities import Identities
from kezd.home.inboxes import Inboxes
from kezd.home.metrics import Metrics
from kezd.home.nats_admin import NatsAdmin
from kezd.home.nats_config import SESSION_SUBJECTS
from kezd.home.nats_keys import HomeKeys
from kezd.home.nats_link import NatsLink, Subscription
from kezd.home.quota import QuotaKeeper, SenderQuota, keep_polling
from kezd.home.sessions import QUEUE as SESSION_QUEUE
from kezd.home.sessions import Sessions, SessionService
from kezd.home.settings import Settings
from kezd.home.store.ports import RegistryStore, SessionStore, SigchainStore, TagKeyStore
from kezd.home.tag_keys import TagKeys
from kezd.home.task_pool import TaskPool
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

SESSIONS_AT_ONCE = 512
SESSION_GRACE = 2.0
ROLL_SECONDS = 300.0
STREAM_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class HomeStores:
    """Every store of the registry role; the chains only where this process has them."""

    registry: RegistryStore
    sessions: SessionStore
    tag_keys: TagKeyStore
    sigchains: SigchainStore | None


class NatsSide:
    """The decision and the quota, which exist with or without a broker, and their service."""

    def __init__(
        self,
        settings: Settings,
        stores: HomeStores,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        metrics: Metrics,
    ) -> None:
        limits = settings.limits
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._stores = stores
        self.identities = Identities(stores.registry, stores.sigchains)
        self.tag_keys = TagKeys(stores.tag_keys, clock, random_bytes)
        self.quota = SenderQuota(self.tag_keys, limits)
        self.gate = Gate(
            self.identities, stores.sessions, self.tag_keys, self.quota,
            guests=settings.guests, networks=settings.nats_networks,
        )  # fmt: skip

    @asynccontextmanager
    async def serve(
        self, urls: tuple[str, ...], keys: HomeKeys, max_bytes: int
    ) -> AsyncIterator[QuotaKeeper]:
        """Connect the three links, make the stream, answer until the block ends."""
        settings, limits, grants = self._settings, self._settings.limits, Grants()
        await self.tag_keys.roll()
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(TaskPool.open(SESSIONS_AT_ONCE, SESSION_GRACE))
            admin = NatsAdmin(await stack.enter_async_context(NatsLink.open("admin", urls, keys.admin)))
            store_link = await stack.enter_async_context(NatsLink.open("store", urls, keys.home))
            inboxes = Inboxes(store_link, limits, max_bytes, settings.replicas)
            await _ensure_stream(inboxes)
            sessions = Sessions(
                self.identities, self._stores.sessions, inboxes, admin, self.tag_keys, self.quota, grants,
                limits, self._clock, guests=settings.guests,
            )  # fmt: skip
            service = SessionService(sessions, tasks, self._metrics)
            await store_link.subscribe(Subscription(SESSION_SUBJECTS, SESSION_QUEUE, service.on_message))
            callout = AuthCallout(self.gate, keys.issuer, limits, grants, self._clock, self._metrics)
            keeper = QuotaKeeper(self.quota, inboxes, self.identities, admin, limits, self._metrics)
            listen = Subscription(AUTH_SUBJECT, QUEUE, callout.on_message)
            await stack.enter_async_context(NatsLink.open("callout", urls, keys.callout, [listen]))
            polling = keep_polling(keeper, settings.quota_interval)
            await stack.enter_async_context(running_beside(polling, "quota"))
            await stack.enter_async_context(running_beside(self._keep_rolling(), "tag-keys"))
            yield keeper

    async def _keep_rolling(self) -> None:
        """Old day keys go even when nobody connects."""
        while True:
            await asyncio.sleep(ROLL_SECONDS)
            await self.tag_keys.roll()


async def _ensure_stream(inboxes: Inboxes) -> None:
    told = False
    while True:
        try:
            await inboxes.ensure_stream()
        except HomeUnavailableError as error:
            if not told:
                log.warning("inbox stream is not there yet", extra={"reason": str(error)})
                told = True
            await asyncio.sleep(STREAM_RETRY_SECONDS)
        else:
            return
