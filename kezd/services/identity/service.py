"""The identity of one profile, from its first word to its replacement by another machine.

States: none → unconfirmed (words shown) → unregistered (words recalled) → active
(registered, chain published) ⇄ superseded. Invariants: whatever is sent was stored
before, and is sent again with the same bytes after a crash; one change at a time; the
seed is in the vault and in the `Signer`, and nowhere else.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Literal

import trio

from kezd.api.types import IdentityCreateResult, IdentityResult, WordsResult
from kezd.errors import KezdError, RequestError, Slug, StoreError, TrustError, UnavailableError
from kezd.kez.errors import ForkError, RollbackError
from kezd.kez.sigchain import Chain, Head, Members, compare
from kezd.kez.signing import Signer
from kezd.runtime.backoff import Backoff, BackoffPolicy
from kezd.runtime.clock import Clock
from kezd.runtime.settings import HomeSettings
from kezd.services.identity.copies import WatchedIdentity
from kezd.services.identity.enrolment import Found, is_stale, parse_own_handle
from kezd.services.identity.words import Chance, Secrets, ask_positions, new_secrets, read_words, recalled
from kezd.services.ports import HomeDirectory
from kezd.store.database import Database, Transaction
from kezd.store.idempotency import Once, recall
from kezd.store.identity import IdentityState, RotationState, StoredIdentity, save_identity
from kezd.store.sigchains import replace_events
from kezd.store.vault import Vault, VaultRecord

log = logging.getLogger(__name__)

RESUME_POLICY: Final = BackoffPolicy(first=1.0, ceiling=300.0)
INSTALLATION_BYTES: Final = 16


class Identity(WatchedIdentity):
    """The open identity service of one profile."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        db: Database,
        vault: Vault,
        record: VaultRecord,
        home: HomeDirectory,
        clock: Clock,
        settings: HomeSettings,
        *,
        chance: Chance | None = None,
    ) -> AsyncIterator["Identity"]:
        """Load what is stored, and finish in the background what a crash interrupted.

        Args:
            db: the profile's database.
            vault: unlocked.
            record: what it holds.
            home: asks home servers.
            clock: for dates in signed payloads.
            settings: the default home's URL.
            chance: where keys come from.
        """
        self = cls(db, vault, record, home, clock, settings, chance or Chance())
        await self._load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._resume_loop)
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()

    # --- becoming -------------------------------------------------------------

    async def create(self, words: Literal[12, 24], once: Once | None, dry_run: bool) -> IdentityCreateResult:
        """Make a key and its words; until they are confirmed, the same again.

        The words are not kept with the idempotency key: they come from the vault each time.

        Raises:
            RequestError: `identity_exists`, `idempotency_conflict`.
            StoreError: the vault or the database could not be written.
        """
        async with self._one_at_a_time:
            await self._db.read(lambda tx: recall(tx, once))
            row = self._row
            if row is not None and row.state is not IdentityState.UNCONFIRMED:
                raise RequestError(Slug.IDENTITY_EXISTS)
            if dry_run:
                return IdentityCreateResult(
                    primary="" if row is None else row.genesis.primary, words=[], ask=[]
                )
            if row is None:
                row = await self._begin(new_secrets(words, self._chance), once)
            shown = self._secrets().words
            return IdentityCreateResult(primary=row.genesis.primary, words=list(shown), ask=list(row.asked))

    async def confirm(self, answers: Mapping[int, str], *, dry_run: bool = False) -> IdentityResult:
        """Check the recalled words.

        Raises:
            RequestError: `no_identity`, `words_not_confirmed`.
        """
        async with self._one_at_a_time:
            row = self._existing()
            if row.state is IdentityState.UNCONFIRMED:
                if not recalled(self._secrets().words, row.asked, answers):
                    raise RequestError(Slug.WORDS_NOT_CONFIRMED)
                if not dry_run:
                    await self._save(replace(row, state=IdentityState.UNREGISTERED))
            return await self.show()

    async def register(self, handle: str, home_url: str | None, *, dry_run: bool = False) -> IdentityResult:
        """Register the handle, publish the sigchain, become active; a dry run sees whether it is free.

        Raises:
            RequestError: `no_identity`, `identity_pending`, `identity_exists`, `invalid_argument`,
                `handle_taken`, `primary_taken`.
            UnavailableError: `home_unreachable`, `home_refused`, `rate_limited`, `superseded`.
            TrustError: `home_lied`, `chain_fork`, `chain_invalid`.
        """
        async with self._one_at_a_time:
            row = self._existing()
            match row.state:
                case IdentityState.UNCONFIRMED:
                    raise RequestError(Slug.IDENTITY_PENDING)
                case IdentityState.SUPERSEDED:
                    raise UnavailableError(Slug.SUPERSEDED)
                case IdentityState.ACTIVE:
                    if parse_own_handle(handle, row.server or "").name != row.name:
                        raise RequestError(Slug.IDENTITY_EXISTS, "this identity has a handle already")
                    return await self.show()
                case IdentityState.UNREGISTERED:
                    url = home_url or row.home_url or self._settings.url
                    await (self._look_for(handle, url) if dry_run else self._enrol(row, handle, url))
                    return await self.show()

    async def restore(
        self, words: str | None, home_url: str | None, *, again: bool = False, dry_run: bool = False
    ) -> IdentityResult:
        """Bring the identity of these words back, or take it over again.

        Args:
            words: 12 or 24; None on a superseded installation.
            home_url: of the home that knows the handle; the configured one by default.
            again: this may be the repetition of a call whose daemon was killed before it answered: an
                identity that is back already is the answer, and no error.
            dry_run: see that it could be done.

        Raises:
            RequestError: `wrong_words`, `identity_exists`, `no_identity`, `not_registered`.
            UnavailableError: `home_unreachable`, `home_refused`, `rate_limited`.
            TrustError: `home_lied`, `chain_fork`, `chain_invalid`.
        """
        async with self._one_at_a_time:
            row = self._row
            given = None if words is None else read_words(words)
            same = row is not None and (given is None or given.seed == self._seed())
            if again and row is not None and same and row.state is IdentityState.ACTIVE and row.restored_at:
                return await self.show()
            if dry_run:
                await self._could_restore(row, given, home_url or self._settings.url, same=same)
                return await self.show()
            if row is not None and same and row.state is IdentityState.SUPERSEDED:
                await self._publish(replace(row, takeover=True, superseded_reason=None), "resumed")
                return await self.show()
            if row is not None and same and row.state is IdentityState.UNREGISTERED and row.restored_at:
                await self._publish(row, "restored")  # an earlier restore got this far
                return await self.show()
            if row is not None and row.state is not IdentityState.UNCONFIRMED:
                raise RequestError(Slug.IDENTITY_EXISTS)
            if given is None:
                raise RequestError(
                    Slug.NO_IDENTITY, "there is nothing to take over; restoring needs the words"
                )
            await self._restore(given, home_url or self._settings.url)
            return await self.show()

    async def words(self, passphrase: str | None) -> WordsResult:
        """The recovery words, after the vault was opened anew.

        Raises:
            RequestError: `no_identity`.
            AccessError: as `Vault.unlock`.
        """
        async with self._one_at_a_time:
            self._existing()
            record = await self._vault.unlock(passphrase, fresh=True)
            assert record.seed is not None, "there is an identity"
            return WordsResult(words=list(Secrets(record.seed, record.entropy12).words))

    async def append(self, op: str, members: Members) -> Head:
        """Write one event into our sigchain; see `ports.ChainWriter`. A rotation has a way of its own."""
        async with self._one_at_a_time:
            row = self._writing()
            assert row.sigchain_url is not None, "it is registered"
            if op == "rotate":
                raise RequestError(Slug.INVALID_ARGUMENT, "a rotation is not appended like other events")
            before = self._chain
            self._chain = await self._own_chain.append(
                self._signing(), row.genesis, row.sigchain_url, op, members
            )
            self._checked = True
            await self._save(row, None if self._chain == before else "chain")
            assert self._chain.head is not None, "an event was appended"
            return self._chain.head

    async def republish(self) -> Chain:
        """Bring our chain and its server together, then read it back; see `ports.OwnSigchain`."""
        async with self._one_at_a_time:
            row = await self._publish_chain(self._writing())
            assert row.sigchain_url is not None, "it is registered"
            assert self._chain is not None, "it was published"
            offered = await self._own_chain.fetch(row.sigchain_url, row.genesis)
            try:
                return compare(self._chain, offered, origin=True)
            except ForkError as error:
                await self._contradicted(f"its server shows another event {error.seq}")
                raise TrustError(Slug.CHAIN_FORK, str(error)).after_change() from error
            except RollbackError as error:
                await self._contradicted(f"its server takes events and does not show them: {error}")
                raise TrustError(Slug.CHAIN_ROLLBACK, str(error)).after_change() from error

    # --- what the link learns -------------------------------------------------

    async def superseded(self, reason: str) -> None:
        """Another installation took over: keep everything, receive nothing, fight nobody."""
        async with self._one_at_a_time:
            row = self._row
            if row is not None and row.state is IdentityState.ACTIVE:
                log.warning("superseded by another installation")
                gone = replace(row, state=IdentityState.SUPERSEDED, superseded_reason=reason, takeover=False)
                await self._save(gone, "superseded")

    async def session_began(self) -> None:
        """The home made this installation the current one; the wish to take over is fulfilled."""
        async with self._one_at_a_time:
            if self._row is not None and self._row.takeover:
                await self._save(replace(self._row, takeover=False))

    # --- inside ---------------------------------------------------------------

    async def _begin(self, secrets: Secrets, once: Once | None) -> StoredIdentity:
        await self._keep_secrets(secrets)
        asked = ask_positions(len(secrets.words), self._chance)
        row = self._new_row(IdentityState.UNCONFIRMED, asked)
        self._chain = Chain.empty(row.genesis)
        await self._save(row, "created", once)
        return row

    def _new_row(self, state: IdentityState, asked: tuple[int, ...]) -> StoredIdentity:
        return StoredIdentity(
            genesis=self._signing().public,
            state=state,
            asked=asked,
            installation_id=self._chance.entropy(INSTALLATION_BYTES).hex(),
            takeover=False,
            restored_at=None,
            name=None,
            server=None,
            home_url=None,
            registration=None,
            registered_at=None,
            sigchain_url=None,
            superseded_reason=None,
            created_at=self._clock.now(),
        )

    async def _keep_secrets(self, secrets: Secrets) -> None:
        """The vault first: a key without a row is forgotten, a row without its key would be lost."""
        self._record = await self._vault.change(
            lambda record: record.with_identity(secrets.seed, secrets.entropy12)
        )
        self._signer = Signer(secrets.seed)

    async def _restore(self, given: Secrets, url: str) -> None:
        key = Signer(given.seed).public
        info = await self._home.info_at(url)
        self._home.use(info.server, url)
        found = await self._enrolment.find(key, info.server)
        chain = await self._own_chain.fetch(found.sigchain_url, found.genesis)
        if chain.current != key:
            raise RequestError(
                Slug.WRONG_WORDS,
                "the identity was rotated: these are the words of an earlier key, which was replaced",
                hint="restore with the words that were shown at the rotation",
            )
        await self._keep_secrets(given)
        new = replace(self._new_row(IdentityState.UNREGISTERED, ()), genesis=found.genesis)
        row = _restored(new, found, url)

        def keep(tx: Transaction) -> None:
            save_identity(tx, row)
            replace_events(tx, row.genesis, chain.events)

        try:
            await self._db.write(keep)
        except StoreError:
            self._row = None  # as after a start: a row whose key is not in the vault any more is nobody's
            raise
        self._chain = chain
        self._set_row(row)
        await self._publish(row, "restored")

    async def _could_restore(
        self, row: StoredIdentity | None, given: Secrets | None, url: str, *, same: bool
    ) -> None:
        """Raise what `restore` would, as far as that can be known without doing it."""
        begun = (IdentityState.SUPERSEDED, IdentityState.UNREGISTERED if row and row.restored_at else None)
        if row is not None and same and row.state in begun:
            return
        if row is not None and row.state is not IdentityState.UNCONFIRMED:
            raise RequestError(Slug.IDENTITY_EXISTS)
        if given is None:
            raise RequestError(Slug.NO_IDENTITY, "there is nothing to take over; restoring needs the words")
        info = await self._home.info_at(url)
        self._home.use(info.server, url)
        await self._enrolment.find(Signer(given.seed).public, info.server)

    async def _look_for(self, handle: str, url: str) -> None:
        """Raise what registering the handle would, as far as a look-up tells."""
        info = await self._home.info_at(url)
        self._home.use(info.server, url)
        record = await self._home.lookup(parse_own_handle(handle, info.server))
        if record is not None and record.primary != self._existing().genesis:
            raise RequestError(Slug.HANDLE_TAKEN)

    async def _enrol(self, row: StoredIdentity, handle: str, url: str) -> None:
        """Registration stored, sent, answered; chain published; active."""
        info = await self._home.info_at(url)
        self._home.use(info.server, url)
        wanted = parse_own_handle(handle, info.server)
        if row.registered_at is None or (row.name, row.server) != (wanted.name, wanted.server):
            prepared = self._enrolment.prepare(self._signing(), row, wanted, url)
            if prepared != row:
                await self._save(prepared)
            try:
                row = await self._send_registration(prepared)
            except RequestError:
                await self._save(replace(prepared, name=None, server=None, registration=None))
                raise
            await self._save(row)
        await self._publish(row, "registered" if row.restored_at is None else "restored")

    async def _send_registration(self, row: StoredIdentity) -> StoredIdentity:
        try:
            return await self._enrolment.send(row)
        except UnavailableError as error:
            if not is_stale(error):
                raise
        renewed = self._enrolment.renew(self._signing(), row)
        await self._save(renewed)
        return await self._enrolment.send(renewed)

    async def _publish(self, row: StoredIdentity, event: str) -> None:
        """Bring chain and server together, then be active."""
        row = await self._publish_chain(row)
        await self._save(replace(row, state=IdentityState.ACTIVE), event)

    async def _publish_chain(self, row: StoredIdentity) -> StoredIdentity:
        if row.rotation is RotationState.CONFIRMED:
            row = await self._finish_rotation(row)
        assert row.server is not None, "it is registered"
        assert row.sigchain_url is not None, "it is registered"
        info = await self._home.info(row.server)
        if not info.nats_urls:
            raise UnavailableError(Slug.HOME_REFUSED, "the home server offers no NATS address")
        nats_url = info.nats_urls[0]
        self._chain = await self._own_chain.publish(self._signing(), row.genesis, row.sigchain_url, nats_url)
        self._checked = True
        return row

    async def _resume_loop(self) -> None:
        """Finish what was interrupted; once a run, see that the server still has our chain."""
        backoff = Backoff(RESUME_POLICY)
        while True:
            changed = self._changed
            try:
                async with self._one_at_a_time:
                    await self._resume()
            except UnavailableError as error:
                log.info("home not reached", extra={"slug": error.slug.value})
                await trio.sleep(backoff.next_delay())
                continue
            except KezdError as error:
                log.warning("the identity needs its owner", extra={"slug": error.slug.value})
            backoff.reset()
            await changed.wait()

    async def _look_into_told(self, row: StoredIdentity) -> None:
        """Ask the server about heads that contacts told of; what it does not show either is an alarm."""
        while self._told:
            teller, seen = self._told[0]
            try:
                if self._chain is None or seen.head.seq > len(self._chain.events):
                    row = await self._publish_chain(row)
            except TrustError as error:
                await self._contradicted(error.message)
            chain = self._chain
            if chain is None or seen.head.seq > len(chain.events):
                shown = 0 if chain is None else len(chain.events)
                await self._contradicted(
                    f"{teller.primary} has seen event {seen.head.seq} of it, the server shows {shown}"
                )
            elif chain.events[seen.head.seq - 1].hash != seen.head.hash:
                await self._contradicted(f"{teller.primary} has seen another event {seen.head.seq} of it")
            self._told.pop(0)

    async def _resume(self) -> None:
        row = self._row
        if row is None or row.registration is None:
            return
        match row.state:
            case IdentityState.UNREGISTERED:
                await self._enrol(row, row.name or "", row.home_url or "")
            case IdentityState.ACTIVE:
                if not self._checked or row.rotation is RotationState.CONFIRMED:
                    row = await self._publish_chain(row)
                await self._look_into_told(row)
            case IdentityState.UNCONFIRMED | IdentityState.SUPERSEDED:
                return


def _restored(row: StoredIdentity, found: Found, url: str) -> StoredIdentity:
    return replace(
        row,
        takeover=True,
        restored_at=row.created_at,
        name=found.handle.name,
        server=found.handle.server,
        home_url=url,
        registration=found.registration,
        registered_at=found.registered_at,
        sigchain_url=found.sigchain_url,
    )
