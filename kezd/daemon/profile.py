"""One profile of the daemon: empty, locked or open, and what each state answers.

The state machine around `OpenProfile`; the socket talks to this. Invariants: a profile is
opened once at a time; a vault that cannot be opened leaves the profile locked and
answering, with the reason in its health.
"""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trio

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.daemon.adapters import Adapters
from kezd.daemon.backups import ProfileBackups
from kezd.daemon.doctor import examine
from kezd.daemon.event_log import EventLog
from kezd.daemon.links import is_heard
from kezd.daemon.open_profile import OpenProfile, SilentChat
from kezd.daemon.report import compile_report
from kezd.errors import AccessError, KezdError, RequestError, Slug, StoreError
from kezd.rpc.ports import ProfileState
from kezd.runtime.bus import Event
from kezd.runtime.config import Config
from kezd.runtime.new_file import file_error, sync_directory
from kezd.runtime.paths import Paths, ensure_private_directory
from kezd.services.access import AuditTrail
from kezd.services.chat.chat import Chat
from kezd.services.claims import Claims, Profiles
from kezd.services.contacts.service import Contacts
from kezd.services.identity.service import Identity
from kezd.services.identity.words import read_words
from kezd.services.sigchains import Sigchains
from kezd.store.idempotency import Once, recall, remember
from kezd.store.vault import Vault, VaultRecord

log = logging.getLogger(__name__)

Listener = Callable[[t.SaidState], None]

SAID: Mapping[ProfileState, t.SaidState] = MappingProxyType(
    {ProfileState.EMPTY: "empty", ProfileState.LOCKED: "locked", ProfileState.OPEN: "open"}
)

UNLOCK_PATIENCE = 2.0
"""Seconds that the vault gets at start before the socket answers `locked`."""


class Profile:
    """See the module; `open` is the only way to one."""

    def __init__(
        self,
        name: str,
        paths: Paths,
        config: Config,
        adapters: Adapters,
        environ: Mapping[str, str],
        passphrase: str | None,
        version: str,
    ) -> None:
        self._name = name
        self._paths = paths
        self._config = config
        self._adapters = adapters
        self._passphrase = passphrase
        self._version = version
        self._vault = Vault(paths.profile(name).directory, config.vault.source, name, environ)
        self._state = ProfileState.EMPTY
        self._said = ProfileState.EMPTY
        self._listeners: set[Listener] = set()
        self._open: OpenProfile | None = None
        self._trouble: KezdError | None = None
        self._changing = trio.Lock()
        self._stopping = trio.Event()
        self._tried = trio.Event()
        self._began = adapters.clock.monotonic()
        self._environ = environ
        self.audit = AuditTrail()
        self.backups = ProfileBackups(self, paths, adapters.clock, version)
        self._nursery: trio.Nursery

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        name: str,
        paths: Paths,
        config: Config,
        adapters: Adapters,
        environ: Mapping[str, str],
        passphrase: str | None,
        version: str,
    ) -> AsyncIterator["Profile"]:
        """The profile for the length of the block; its vault is tried first, and on in the background.

        Args:
            name: of the profile.
            paths: of the peer.
            config: of the peer.
            adapters: ways to the outside.
            environ: for systemd credentials.
            passphrase: from a file named at start, for machines without a keyring.
            version: of the daemon.
        """
        self = cls(name, paths, config, adapters, environ, passphrase, version)
        if await self._vault.exists():
            self._state = self._said = ProfileState.LOCKED
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._try_unlock)
            with trio.move_on_after(UNLOCK_PATIENCE):
                await self._tried.wait()
            try:
                yield self
            finally:
                self._stopping.set()
                self._tell("removed")

    # --- standing

    @property
    def name(self) -> str:
        """As configured."""
        return self._name

    @property
    def state(self) -> ProfileState:
        """Where it stands."""
        return self._state

    @contextmanager
    def watch(self, listener: Listener) -> Iterator[None]:
        """Call `listener` with each new state, for the length of the block."""
        own = partial(listener)  # one listener may watch twice
        self._listeners.add(own)
        try:
            yield
        finally:
            self._listeners.discard(own)

    def _tell(self, state: t.SaidState) -> None:
        for listener in tuple(self._listeners):
            listener(state)

    def _tell_state(self) -> None:
        """Say the state, unless it is the one that was said last: what lies between is nobody's business."""
        if self._state is not self._said:
            self._said = self._state
            self._tell(SAID[self._state])

    @property
    def opened(self) -> OpenProfile:
        """The open profile.

        Raises:
            AccessError: `locked`.
            RequestError: `no_identity`.
        """
        self._refuse_removed()
        if self._open is not None:
            return self._open
        if self._state is ProfileState.EMPTY:
            raise RequestError(Slug.NO_IDENTITY)
        detail = {} if self._trouble is None else {"cause": self._trouble.slug.value}
        raise AccessError(Slug.LOCKED, detail=detail)

    def _refuse_removed(self) -> None:
        if self._stopping.is_set():
            raise RequestError(Slug.UNKNOWN_PROFILE, "this profile was removed")

    @property
    def identity(self) -> Identity:
        """The identity service."""
        return self.opened.identity

    @property
    def sigchains(self) -> Sigchains:
        """Sigchains, our own and those of contacts."""
        return self.opened.sigchains

    @property
    def contacts(self) -> Contacts:
        """The contacts service."""
        return self.opened.contacts

    @property
    def claims(self) -> Claims:
        """Our own claims."""
        return self.opened.claims

    @property
    def graph(self) -> Profiles:
        """What others claim."""
        return self.opened.graph

    @property
    def chat(self) -> Chat | SilentChat:
        """The chat."""
        return self.opened.chat

    @property
    def events(self) -> EventLog:
        """The event log."""
        return self.opened.log

    def announce(self, topic: Topic, body: dict[str, Any], key: str) -> None:
        """Publish an ephemeral event; without a database nobody can have subscribed."""
        if self._open is not None:
            self._open.db.bus.publish([Event(0, topic.value, body, key=key)])

    # --- changing state

    async def unlock(self, passphrase: str | None) -> None:
        """Open the vault; done at once when it is open.

        Raises:
            AccessError: as `Vault.unlock`.
            StoreError: the database cannot be opened.
            RequestError: `no_identity` on an empty profile.
        """
        async with self._changing:
            self._refuse_removed()
            if self._open is None:
                if self._state is ProfileState.EMPTY:
                    raise RequestError(Slug.NO_IDENTITY)
                await self._unlock(passphrase or self._passphrase)

    async def create(self, params: t.IdentityCreateParams, once: Any) -> t.IdentityCreateResult:
        """Make an identity; vault and database first if there are none."""
        if params.dry_run and self._state is ProfileState.EMPTY:
            return t.IdentityCreateResult(primary="", words=[], ask=[])
        await self._begin(params.passphrase)
        return await self.identity.create(params.words, once, params.dry_run)

    async def restore(self, params: t.IdentityRestoreParams) -> t.IdentityResult:
        """Restore an identity; vault and database first if there are none.

        A dry run on an empty profile checks the words and nothing else: there is nobody to ask a home yet.
        """
        if params.words is None and self._state is ProfileState.EMPTY:
            raise RequestError(Slug.NO_IDENTITY, "there is nothing to take over; restoring needs the words")
        if params.dry_run and self._state is ProfileState.EMPTY:
            read_words(params.words or "")
            return t.IdentityResult(state="none")
        await self._begin(params.passphrase)
        again = params.idempotency_key is not None
        return await self.identity.restore(params.words, params.home_url, again=again, dry_run=params.dry_run)

    async def _begin(self, passphrase: str | None) -> None:
        """Make vault and database on an empty profile."""
        async with self._changing:
            self._refuse_removed()
            if self._state is ProfileState.EMPTY:
                await self._start(await self._vault.create(passphrase or self._passphrase))

    async def adopt(self, directory: Path, record: VaultRecord, passphrase: str | None) -> None:
        """Become the profile whose database is in `directory`, which gets a vault and moves into place.

        Raises:
            RequestError: `identity_exists`, somebody was faster.
            AccessError: as `Vault.create`.
            StoreError: the directory could not be moved, or the database not opened.
        """
        async with self._changing:
            self._refuse_removed()
            if self._state is not ProfileState.EMPTY:
                raise RequestError(Slug.IDENTITY_EXISTS)
            secret = passphrase or self._passphrase
            await Vault(directory, self._config.vault.source, self._name, self._environ).create(
                secret, record
            )
            await trio.to_thread.run_sync(_move, directory, self._paths.profile(self._name).directory)
            self._state = ProfileState.LOCKED
            await self._unlock(secret)

    async def _try_unlock(self) -> None:
        async with self._changing:
            if self._state is ProfileState.LOCKED:
                try:
                    await self._unlock(self._passphrase)
                except (AccessError, StoreError) as error:
                    log.warning(
                        "the profile stays locked",
                        extra={"profile": self._name, "slug": error.slug.value, "cause": error.message},
                    )
        self._tried.set()

    async def _unlock(self, passphrase: str | None) -> None:
        try:
            await self._start(await self._vault.unlock(passphrase))
        except (AccessError, StoreError) as error:
            self._trouble = error
            raise
        finally:
            self._tell_state()

    async def _start(self, record: VaultRecord) -> None:
        self._state = ProfileState.LOCKED
        try:
            await self._nursery.start(self._live, record)
            if self._open is not None:  # its store may have failed by now
                self._trouble = None
                self._state = ProfileState.OPEN
        finally:
            self._tell_state()

    async def _live(self, record: VaultRecord, *, task_status: trio.TaskStatus[None]) -> None:
        opening = OpenProfile.open(
            self._paths.profile(self._name), self._vault, record, self._config, self._adapters, self._version
        )
        lives = False
        try:
            async with opening as self._open, self.audit.writing_to(self._open.db):
                log.info("profile is open", extra={"profile": self._name})
                lives = True
                task_status.started()
                await self._stopping.wait()
        except BaseExceptionGroup as group:
            broken, rest = group.split(StoreError)
            if broken is None or rest is not None or not lives:
                raise
            self._store_failed(_first(broken))
        except StoreError as error:
            if not lives:
                raise
            self._store_failed(error)
        finally:
            self._open = None

    def _store_failed(self, error: StoreError) -> None:
        """Lock this profile, which others need not notice; a person has to look at its disk."""
        self._trouble = error
        self._state = ProfileState.LOCKED
        log.error(
            "the profile's store failed, so the profile is locked",
            extra={"profile": self._name, "cause": error.message},
        )
        self._tell_state()

    # --- idempotency

    def once(self, key: str, method: str, params_hash: str) -> Once:
        """The token of a call."""
        return Once(key, method, params_hash)

    async def recall(self, once: Once) -> dict[str, Any] | None:
        """The result of an earlier call with this key.

        Raises:
            RequestError: `idempotency_conflict`.
        """
        if self._open is None:
            return None
        return await self._open.db.read(lambda tx: recall(tx, once))

    async def remember(self, once: Once, result: dict[str, Any]) -> None:
        """Keep a result for 24 h."""
        if self._open is not None:
            await self._open.db.write(lambda tx: remember(tx, once, result))

    # --- looking

    async def describe(self) -> t.ProfileItem:
        """A line of the list of profiles; answered in every state."""
        opened = self._open
        if opened is None:
            trouble = None if self._trouble is None else self._trouble.slug.value
            return t.ProfileItem(name=self._name, state=self._state.value, trouble=trouble)
        shown = await opened.identity.show()
        return t.ProfileItem(
            name=self._name,
            state=self._state.value,
            identity=shown.state,
            handle=shown.handle,
            primary=shown.primary,
            link=opened.link().state.value,
        )

    async def health(self) -> t.HealthResult:
        """State of each link; answered in every state."""
        links: list[t.LinkHealth] = []
        dropped: dict[str, int] = {}
        if self._open is not None:
            links = self._open.links()
            dropped = await self._open.chat.dropped()
        elif self._trouble is not None:
            links = [t.LinkHealth(name="vault", state="locked", last_error=self._trouble.message)]
        return t.HealthResult(
            state=self._state.value,
            links=links,
            pid=os.getpid(),
            uptime_ms=int((self._adapters.clock.monotonic() - self._began) * 1000),
            dropped=dropped,
        )

    async def doctor(self) -> t.DoctorResult:
        """Every check, in every state."""
        checks = await examine(
            self._paths,
            self._config,
            self._state,
            self._trouble,
            self._open,
            self._vault,
            self._adapters.clock,
            self._version,
        )
        return t.DoctorResult(checks=checks)

    async def report(self) -> t.ReportResult:
        """A redacted account, in every state."""
        health, doctor = await self.health(), await self.doctor()
        return await compile_report(self._paths, self._config, self._open, health, doctor, self._version)

    async def stuck(self, patience: float) -> list[str]:
        """What the watchdog asks: the parts that claim to work and have not for `patience` seconds.

        Waits for the store's reader: while that hangs there is no answer at all.
        """
        opened = self._open
        if opened is None:
            return []
        await opened.db.read(lambda tx: tx.one("SELECT 1"))
        clock = self._adapters.clock
        since = opened.db.writing_since
        found = []
        if since is not None and clock.monotonic() - since > patience:
            found.append(f"{self._name}: one commit has not ended for {clock.monotonic() - since:.0f} s")
        if not is_heard(opened.link(), clock.now()):
            found.append(f"{self._name}: the link says online and hears nothing")
        return found


def _move(directory: Path, to: Path) -> None:
    """Give a complete profile its name; nothing but an empty directory may stand there."""
    try:
        ensure_private_directory(to.parent)
        directory.rename(to)
        sync_directory(to.parent)
    except OSError as error:
        raise file_error(error, f"cannot put the profile to {to}") from error


def _first(group: BaseExceptionGroup[StoreError]) -> StoreError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
