"""Contacts of one profile: added by handle, verified, looked at again, decided about.

Asks homes (`evidence`), keeps what it finds (`ledger`), answers chat (`book`). Invariants:
nothing is kept that did not verify; trust on first use, and from then on a change of key,
a fork, a rollback or a broken chain stops sending until the person decides.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Literal

import trio

from kezd.api.types import Contact, ContactsResult, CopyVerdict
from kezd.errors import RequestError, Slug, StoreError, TrustError, UnavailableError
from kezd.kez.contact_uri import is_contact_uri, parse_contact_uri
from kezd.kez.errors import HandleError, KezError
from kezd.kez.handles import Handle, parse_handle
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PRIMARY_PREFIX, PublicKey
from kezd.kez.sigchain import Chain, decode_jsonl
from kezd.runtime.clock import Clock
from kezd.runtime.settings import ContactsSettings
from kezd.services.contacts import ledger
from kezd.services.contacts.book import Book, Own, OwnKey, alarm_error, route_to
from kezd.services.contacts.copies import take_copy
from kezd.services.contacts.decisions import check_expected, check_named
from kezd.services.contacts.evidence import ChainNews, Record, Trouble, fetch_chain, verify_record
from kezd.services.contacts.gossip import Gossip, OwnHead, check_told
from kezd.services.contacts.shape import show_contact
from kezd.services.ports import HomeDirectory, Route, Sender, TellOwn
from kezd.store.contacts import (
    AlarmKind,
    Standing,
    StoredContact,
    contact_by_handle,
    due_contacts,
    find_key,
    load_contact,
    make_due,
    next_due,
    note_check,
    page_contacts,
    set_standing,
)
from kezd.store.database import Database, Transaction
from kezd.store.savepoint import savepoint
from kezd.store.sigchains import load_jsonl

log = logging.getLogger(__name__)

LOOKS_AT_ONCE: Final = 4
RETRY_SECONDS: Final = 60.0
"""First delay after a home did not answer; doubles up to the usual interval."""
STRANGER_DOUBLINGS: Final = 5
"""A stranger whom our home does not know is asked about ever more seldom, up to 2⁵ intervals."""
IDLE_SECONDS: Final = 300.0
PAGE_LIMIT: Final = 500
NAME_SHOWN: Final = 80
"""Characters of a name that is quoted back."""

Uniform = Callable[[float, float], float]


class Contacts:
    """The open contacts service; implements `ports.ContactBook`."""

    def __init__(
        self,
        db: Database,
        home: HomeDirectory,
        own: Own,
        clock: Clock,
        settings: ContactsSettings,
        uniform: Uniform,
        key: OwnKey | None = None,
    ) -> None:
        self._db = db
        self._home = home
        self._own = own
        self._clock = clock
        self._settings = settings
        self._uniform = uniform
        self._own_key = key or (lambda: own()[0])
        self._book = Book(own, self._own_key)
        self._wanted = trio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        db: Database,
        home: HomeDirectory,
        own: Own,
        clock: Clock,
        settings: ContactsSettings,
        *,
        uniform: Uniform | None = None,
        key: OwnKey | None = None,
    ) -> AsyncIterator["Contacts"]:
        """Look at contacts that are due, for the length of the block.

        Args:
            db: the profile's database.
            home: asks home servers.
            own: tells our primary and server as they are now.
            clock: decides what is due.
            settings: how often.
            uniform: draws the jitter.
            key: tells the primary that we sign with now, our first one by default.
        """
        self = cls(db, home, own, clock, settings, uniform or secrets.SystemRandom().uniform, key)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()

    # --- for clients ----------------------------------------------------------

    async def add(self, handle: str, *, dry_run: bool = False) -> Contact:
        """Find a handle, verify it, and trust its key from now on.

        Args:
            handle: or a contact URI, whose key has to be the one that is found.
            dry_run: keep nothing, and answer what would be kept.

        Raises:
            RequestError: `invalid_argument`, `not_found`.
            UnavailableError: `home_unreachable`, `rate_limited`, `home_refused`.
            TrustError: `home_lied`, `chain_invalid`; `key_changed`, `chain_fork`, `chain_rollback` when
                the handle is a contact's already and what the server shows contradicts it, or the
                contact URI has another key: then nothing is kept.
        """
        wanted, key = self._parse_wanted(handle)
        known = await self._db.read(lambda tx: contact_by_handle(tx, str(wanted)))
        if known is not None and dry_run:
            check_named(key, known.current)
            if known.alarm is not None:
                raise alarm_error(known.alarm)
            return self._shown(known)
        if known is not None:
            await self._look(known)
            check_named(key, (await self._contact(known.genesis.primary)).current)
            return await self._settled(known.genesis, accept=True)
        record = await self._find(wanted)
        if record.genesis == self._primary:
            raise RequestError(Slug.INVALID_ARGUMENT, "that is you")
        news = await self._first_chain(record)
        check_named(key, news.facts.current)
        keep = partial(ledger.keep_added, record=record, news=news, own=self._key, due_at=self._next_look())
        contact = await self._db.write(partial(_tried, keep) if dry_run else keep)
        self._wanted.set()  # there is a new date to wait for
        if contact.alarm is not None:
            error = alarm_error(contact.alarm)
            raise error if dry_run else error.after_change()
        return self._shown(contact)

    async def list(self, limit: int, cursor: str | None) -> ContactsResult:
        """A page of contacts and requests, by handle."""
        limit = max(1, min(limit, PAGE_LIMIT))
        found = await self._db.read(lambda tx: page_contacts(tx, cursor, limit + 1))
        more = len(found) > limit
        items = [self._shown(contact) for _, contact in found[:limit]]
        return ContactsResult(items=items, next_cursor=found[limit - 1][0] if more else None)

    async def show(self, name: str) -> Contact:
        """One contact, by handle or primary. `RequestError(NOT_A_CONTACT)`."""
        return self._shown(await self._contact(name))

    async def refresh(self, name: str) -> Contact:
        """Look the contact up now.

        Raises:
            RequestError: `not_a_contact`.
            UnavailableError: `home_unreachable` and its like.
            TrustError: `home_lied`.
        """
        contact = await self._contact(name)
        await self._look(contact)
        return await self.show(contact.genesis.primary)

    async def accept(self, name: str) -> Contact:
        """Accept a request (or take a block back). `RequestError(NOT_A_CONTACT)`."""
        shown = await self._decide_standing(name, Standing.ACCEPTED)
        if shown.chain_seq == 0:
            self.wants_lookup(parse_primary(shown.genesis))
        return shown

    async def block(self, name: str) -> Contact:
        """Drop what they send from now on. `RequestError(NOT_A_CONTACT)`."""
        return await self._decide_standing(name, Standing.BLOCKED)

    async def verify(self, name: str, words: Sequence[str], *, match: bool, dry_run: bool = False) -> Contact:
        """Remember whether the safety words that were shown are those that the other side sees.

        Raises:
            RequestError: `not_a_contact`, `no_identity`.
            TrustError: `key_changed` when they are not the words of the key of now; the alarm's, if one stands.
        """
        contact, own = await self._contact(name), self._key
        if own is None:
            raise RequestError(Slug.NO_IDENTITY)
        keep = partial(
            ledger.keep_comparison,
            genesis=contact.genesis,
            words=words,
            own=own,
            match=match,
            dry_run=dry_run,
        )
        return self._shown(await self._db.write(keep))

    async def decide(
        self, name: str, decision: Literal["trust_new", "keep_old"], expected_primary: str | None = None
    ) -> Contact:
        """Answer an alarm; without one the contact is answered as it is.

        `trust_new` after a changed key makes (or takes) the contact of the new key, which
        gets the handle; after other alarms the server's chain of now is trusted.

        Raises:
            RequestError: `not_a_contact`, `not_found` when the handle is gone, `invalid_argument` when
                a new key is trusted without saying which.
            UnavailableError: the home is needed for `trust_new` and does not answer.
            TrustError: `key_changed` when the alarm is about another key than the one expected, or the
                handle has yet another key now; `chain_invalid`, `home_lied`.
        """
        contact = await self._contact(name)
        if contact.alarm is None:
            return self._shown(contact)
        own = self._key
        if decision == "keep_old":
            return self._shown(await self._db.write(lambda tx: ledger.keep_old(tx, contact.genesis, own)))
        if contact.alarm.kind is AlarmKind.KEY_CHANGED:
            check_expected(contact.alarm.about, expected_primary)
            return await self._trust_new_key(contact, contact.alarm.about)
        return await self._trust_new_chain(contact)

    async def take_copy(self, offered: Chain) -> CopyVerdict:
        """Compare a copy of a contact's sigchain; see `ports.ChainKeeper`."""
        contact = await self._contact(offered.genesis.primary)
        jsonl = await self._db.read(lambda tx: load_jsonl(tx, contact.genesis))
        known = await trio.to_thread.run_sync(decode_jsonl, jsonl, contact.genesis)
        return await take_copy(self._db, contact, known, offered, self._key)

    # --- for chat -------------------------------------------------------------

    def named(self, tx: Transaction, name: str) -> PublicKey:
        """Genesis of a contact given by handle or primary. `RequestError(NOT_A_CONTACT)`."""
        return self._named(tx, name).genesis

    def route(self, tx: Transaction, genesis: PublicKey) -> Route:
        """How to reach them; see `ports.ContactBook`."""
        return self._book.route(tx, genesis)

    def route_by_name(self, tx: Transaction, name: str) -> Route:
        """How to reach whom a handle or primary names; see `ports.ContactBook`."""
        return route_to(self._named(tx, name))

    def sender(self, tx: Transaction, key: PublicKey) -> Sender:
        """Who wrote; see `ports.ContactBook`."""
        return self._book.sender(tx, key)

    def known(self, tx: Transaction, genesis: PublicKey) -> Sender | None:
        """The contact whose chain began with that key."""
        return self._book.known(tx, genesis)

    def wants_lookup(self, genesis: PublicKey) -> None:
        """Wake the watch: a stranger is due from the moment they are stored."""
        log.debug("look-up wanted", extra={"of": genesis.hex[:8]})
        self._wanted.set()

    def gossip(self, own_head: OwnHead, tell_own: TellOwn) -> Gossip:
        """The heads that contacts tell of; see `ports.HeadGossip`."""
        return Gossip(self._own, self._own_key, own_head, tell_own, self._wanted_now)

    def _wanted_now(self) -> None:
        self._wanted.set()

    # --- looking --------------------------------------------------------------

    async def _look(self, contact: StoredContact) -> None:
        """Ask the homes about a contact and keep what they say."""
        record = await self._record_of(contact)
        url = record.sigchain_url if record and record.genesis == contact.genesis else contact.sigchain_url
        news: ChainNews | Trouble | None = None
        if url is not None:
            jsonl = await self._db.read(lambda tx: load_jsonl(tx, contact.genesis))
            news = await fetch_chain(self._home, contact.genesis, url, jsonl, contact.etag)
        found = record is not None or contact.handle is not None
        due = self._next_look(0 if found else min(contact.failures + 1, STRANGER_DOUBLINGS))
        own = self._key
        asked = url is not None

        def keep(tx: Transaction) -> None:
            ledger.keep_look(tx, contact.genesis, record, news, own, due)
            if asked:
                check_told(tx, contact.genesis, own)

        await self._db.write(keep)

    async def _record_of(self, contact: StoredContact) -> Record | None:
        if contact.handle is not None:
            record = await self._home.lookup(parse_handle(contact.handle))
        elif self._server is not None:
            record = await self._home.lookup_primary(self._server, contact.genesis)
            if (
                record is not None and record.primary != contact.genesis
            ):  # a new key, it says: whose, chains tell
                await self._db.write(partial(make_due, genesis=record.primary))
                record = None
        else:
            return None
        return None if record is None else verify_record(record)

    async def _find(self, handle: Handle) -> Record:
        record = await self._home.lookup(handle)
        if record is None:
            raise RequestError(Slug.NOT_FOUND, f"nobody is {handle}", hint="check the spelling")
        return verify_record(record)

    async def _first_chain(self, record: Record) -> ChainNews:
        news = await fetch_chain(self._home, record.genesis, record.sigchain_url, b"", None)
        match news:
            case ChainNews():
                return news
            case Trouble(detail=detail):
                raise TrustError(Slug.CHAIN_INVALID, detail)
            case None:
                raise TrustError(Slug.HOME_LIED, "the sigchain server says unchanged to a first question")

    async def _trust_new_key(self, old: StoredContact, about: str) -> Contact:
        if old.handle is None:
            raise RequestError(Slug.NOT_FOUND, "this contact has no handle any more")
        record = await self._find(parse_handle(old.handle))
        own, due = self._key, self._next_look()
        if record.genesis.primary != about:
            trouble = Trouble(AlarmKind.KEY_CHANGED, ledger.NEW_KEY, record.genesis.primary)
            if record.genesis != old.genesis:
                await self._db.write(lambda tx: ledger.raise_alarm(tx, old.genesis, trouble, own))
            raise TrustError(
                Slug.KEY_CHANGED, "the handle has yet another key now: look again, then decide"
            ).after_change()
        news = await self._first_chain(record)
        return self._shown(
            await self._db.write(lambda tx: ledger.trust_new_key(tx, old.genesis, record, news, own, due))
        )

    async def _trust_new_chain(self, contact: StoredContact) -> Contact:
        if contact.sigchain_url is None:
            raise RequestError(Slug.NOT_FOUND, "this contact's sigchain has no known address")
        news = await fetch_chain(self._home, contact.genesis, contact.sigchain_url, b"", None)
        if not isinstance(news, ChainNews):
            raise TrustError(Slug.CHAIN_INVALID)
        own, due = self._key, self._next_look()
        return self._shown(
            await self._db.write(lambda tx: ledger.trust_new_chain(tx, contact.genesis, news, own, due))
        )

    # --- the watch ------------------------------------------------------------

    async def _watch(self) -> None:
        """Look at whoever is due, a few at once."""
        while True:
            self._wanted = trio.Event()
            now = self._clock.now()
            due = await self._db.read(partial(due_contacts, now=now, limit=LOOKS_AT_ONCE))
            if due:
                async with trio.open_nursery() as nursery:
                    for contact in due:
                        nursery.start_soon(self._watched_look, contact)
                continue
            upcoming = await self._db.read(next_due)
            wait = IDLE_SECONDS if upcoming is None else min(max(upcoming - now, 0.0), IDLE_SECONDS)
            with trio.move_on_after(wait):
                await self._wanted.wait()

    async def _watched_look(self, contact: StoredContact) -> None:
        """One look, contained: what a server says wrong is noted, and asked again later."""
        try:
            retry: float | None = await self._try_to_look(contact)
            if retry is not None:
                await self._db.write(
                    partial(note_check, genesis=contact.genesis, due_at=retry, reached=False)
                )
        except StoreError as error:
            log.warning("a look at a contact was not kept", extra={"slug": error.slug.value})
            await trio.sleep(RETRY_SECONDS)

    async def _try_to_look(self, contact: StoredContact) -> float | None:
        """Look; when to look again if nothing could be kept, else None."""
        try:
            await self._look(contact)
        except UnavailableError as error:
            delay: float = min(RETRY_SECONDS * 2 ** min(contact.failures, 10), self._settings.recheck_s)
            log.info("contact not looked up", extra={"slug": error.slug.value})
            told = (error.retry_after_ms or 0) / 1000
            return self._clock.now() + max(delay, told)
        except (TrustError, RequestError) as error:
            log.warning("what a home says about a contact does not hold", extra={"slug": error.slug.value})
            return self._next_look()
        return None

    def _next_look(self, doublings: int = 0) -> float:
        interval = self._settings.recheck_s * 2**doublings
        return self._clock.now() + self._uniform(0.75 * interval, 1.25 * interval)

    # --- inside ---------------------------------------------------------------

    @property
    def _key(self) -> PublicKey | None:
        """Our half of the safety words."""
        return self._own_key()

    @property
    def _primary(self) -> PublicKey | None:
        return self._own()[0]

    @property
    def _server(self) -> str | None:
        return self._own()[1]

    def _parse(self, text: str) -> Handle:
        try:
            return parse_handle(text, self._server)
        except HandleError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "handle"}) from error

    def _parse_wanted(self, text: str) -> tuple[Handle, PublicKey | None]:
        if not is_contact_uri(text.strip()):
            return self._parse(text), None
        try:
            handle, primary = parse_contact_uri(text)
            return self._parse(handle), parse_primary(primary)
        except KezError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "handle"}) from error

    async def _contact(self, name: str) -> StoredContact:
        return await self._db.read(lambda tx: self._named(tx, name))

    def _named(self, tx: Transaction, name: str) -> StoredContact:
        try:
            contact = self._look_up(tx, name.strip())
        except KezError as error:
            raise _unknown(name) from error
        if contact is None:
            raise _unknown(name)
        return contact

    def _look_up(self, tx: Transaction, name: str) -> StoredContact | None:
        if not name.startswith(PRIMARY_PREFIX):
            return contact_by_handle(tx, str(parse_handle(name, self._server)))
        key = parse_primary(name)
        known = find_key(tx, key)
        return load_contact(tx, key if known is None else known.genesis)

    async def _decide_standing(self, name: str, state: Standing) -> Contact:
        contact = await self._contact(name)
        own = self._key

        def keep(tx: Transaction) -> StoredContact:
            set_standing(tx, contact.genesis, state)
            if contact.chain_seq == 0:
                make_due(tx, contact.genesis)
            return ledger.announce(tx, "changed", contact.genesis, own)

        return self._shown(await self._db.write(keep))

    async def _settled(self, genesis: PublicKey, *, accept: bool) -> Contact:
        """The contact after a look, or the alarm that it raised."""
        contact = await self._contact(genesis.primary)
        if contact.alarm is not None:
            raise alarm_error(contact.alarm).after_change()
        if accept and contact.state is not Standing.ACCEPTED:
            return await self._decide_standing(genesis.primary, Standing.ACCEPTED)
        return self._shown(contact)

    def _shown(self, contact: StoredContact) -> Contact:
        return show_contact(contact, self._key)


def _tried(keep: Callable[[Transaction], StoredContact], tx: Transaction) -> StoredContact:
    """What `keep` would give, taken back."""
    with savepoint(tx) as take_back:
        contact = keep(tx)
        take_back()
    return contact


def _unknown(name: str) -> RequestError:
    return RequestError(Slug.NOT_A_CONTACT, f"{name[:NAME_SHOWN]!r} is not a contact")
