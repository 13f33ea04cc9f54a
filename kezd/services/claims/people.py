"""Who somebody is: the handle's registration, and the chain as its server shows it, against what was seen.

Not here: their claims. Invariants: nothing unverified comes out; a chain that contradicts what was seen gives an
alarm that stands, and the chain that was seen first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import trio

from kezd.errors import RequestError, Slug, TrustError, UnavailableError
from kezd.kez.errors import ForkError, HandleError, KezError, RegistrationError, RollbackError
from kezd.kez.handles import Handle, parse_handle
from kezd.kez.keys import PRIMARY_PREFIX, PublicKey
from kezd.kez.nostr_keys import NOSTR_PREFIX, NostrKey, parse_any_primary
from kezd.kez.registration import verify_registration
from kezd.kez.sigchain import Chain, compare, decode_jsonl, encode_jsonl
from kezd.runtime.home_answers import HandleRecord
from kezd.services.ports import HomeDirectory, Owner
from kezd.store.checks import SeenChain, load_seen, save_seen
from kezd.store.contacts import AlarmKind, contact_by_handle, find_key, load_contact
from kezd.store.database import Database, Transaction
from kezd.store.sigchains import load_jsonl

NAME_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose registration or chain was verified.

    Attributes:
        genesis: the first key of their chain.
        handle: under which they were found, if they have one.
        chain: as it was seen; empty when there is none.
        alarm: `fork` or `rollback` while one stands.
        trouble: why the chain is the one known before, None when its server was asked.
    """

    genesis: PublicKey
    handle: str | None
    chain: Chain
    alarm: str | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    genesis: PublicKey
    handle: str | None
    url: str | None
    jsonl: bytes
    alarm: str | None


class People:
    """Finds people."""

    def __init__(self, db: Database, home: HomeDirectory, own: Callable[[], Owner | None]) -> None:
        self._db = db
        self._home = home
        self._own = own

    async def find(self, who: str) -> Person:
        """Somebody by handle or primary, asked for now.

        Raises:
            RequestError: `invalid_argument`, `not_found`.
            UnavailableError: `home_unreachable` and its like, and nothing was known.
            TrustError: `home_lied`, `chain_invalid`.
        """
        who = who.strip()
        if who.startswith((PRIMARY_PREFIX, NOSTR_PREFIX)):
            try:
                person = await self.by_key(parse_any_primary(who))
            except KezError as error:
                raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
            if person is None:
                raise RequestError(Slug.NOT_FOUND, "nobody is known by that primary")
            return person
        own = self._own()
        try:
            handle = parse_handle(who, None if own is None else own.handle.server)
        except HandleError as error:
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                f"{error}",
                hint="a handle, a primary, or an identifier like github:alice",
            ) from error
        return await self.by_handle(handle)

    async def by_handle(self, handle: Handle) -> Person:
        """Somebody by handle; raises as `find`."""
        try:
            record = await self._home.lookup(handle)
        except UnavailableError as error:
            known = await self._db.read(lambda tx: contact_by_handle(tx, str(handle)))
            if known is None:
                raise
            return await self._from_memory(known.genesis, error)
        if record is None:
            raise RequestError(Slug.NOT_FOUND, f"nobody is {handle}", hint="check the spelling")
        return await self._from_record(record)

    async def by_key(self, key: PublicKey) -> Person | None:
        """Whose key it is, if we or our home know; raises as `find`."""
        own = self._own()
        if own is not None and key in (own.primary, own.signer.public):
            return await self.own(own)
        genesis = await self._db.read(lambda tx: _genesis(tx, key))
        known = None if genesis is None else await self._known(genesis)
        if known is None:
            if own is None:
                return None
            if isinstance(key, NostrKey):
                return await self._nostr(key, own.handle.server)
            record = await self._home.lookup_primary(own.handle.server, key)
            return None if record is None else await self._from_record(record)
        if known.url is None:
            return await _person(known)
        return await self._asked(known, known.url)

    async def _nostr(self, key: NostrKey, server: str) -> Person | None:
        """A nostr primary has no handle; our home may keep its chain."""
        base = (await self._home.info(server)).sigchain_url.rstrip("/")
        person = await self._asked(
            _Known(key, None, None, b"", None), f"{base}/v1/sigchains/nostr/{key.npub}"
        )
        return person if person.chain.events else None

    async def own(self, owner: Owner) -> Person:
        """Ourselves, as our chain stands here."""
        jsonl = await self._db.read(lambda tx: load_jsonl(tx, owner.primary))
        return await _person(_Known(owner.primary, str(owner.handle), None, jsonl, None))

    async def _from_record(self, record: HandleRecord) -> Person:
        try:
            registration = verify_registration(record.registration, server=record.handle.server, now=None)
        except RegistrationError as error:
            raise TrustError(Slug.HOME_LIED, f"the registration does not verify: {error}") from error
        if registration.handle != record.handle or registration.primary != record.primary:
            raise TrustError(Slug.HOME_LIED, "the home answers with somebody else's registration")
        known = await self._known(record.primary) or _Known(record.primary, None, None, b"", None)
        return await self._asked(replace(known, handle=str(record.handle)), record.sigchain_url)

    async def _from_memory(self, genesis: PublicKey, error: UnavailableError) -> Person:
        known = await self._known(genesis)
        assert known is not None, "a contact has facts"
        return replace(await _person(known), trouble=error.message)

    async def _asked(self, known: _Known, url: str) -> Person:
        """The chain as its server has it now, against what was seen; kept."""
        try:
            fetched = await self._home.fetch_chain(url, known.genesis)
        except UnavailableError as error:
            if not known.jsonl:
                raise
            return replace(await _person(known), trouble=error.message)
        jsonl = b"" if fetched is None else fetched.jsonl
        chain, alarm = await trio.to_thread.run_sync(_judge, known.genesis, known.jsonl, jsonl)
        seen = SeenChain(encode_jsonl(chain), known.handle, url, alarm or known.alarm)
        if chain.events:
            await self._db.write(lambda tx: save_seen(tx, known.genesis, seen))
        return Person(known.genesis, known.handle, chain, alarm or known.alarm)

    async def _known(self, genesis: PublicKey) -> _Known | None:
        return await self._db.read(lambda tx: _load(tx, genesis))


def _genesis(tx: Transaction, key: PublicKey) -> PublicKey | None:
    if load_seen(tx, key) is not None:
        return key
    if isinstance(key, NostrKey):
        return None
    found = find_key(tx, key)
    return None if found is None else found.genesis


def _load(tx: Transaction, genesis: PublicKey) -> _Known | None:
    """The longest chain that was seen, as a contact's or otherwise."""
    seen = load_seen(tx, genesis)
    if isinstance(genesis, NostrKey):  # no contact, since it cannot chat
        return None if seen is None else _Known(genesis, None, seen.url, seen.jsonl, seen.alarm)
    contact, jsonl = load_contact(tx, genesis), load_jsonl(tx, genesis)
    if seen is None and contact is None:
        return _Known(genesis, None, None, jsonl, None) if jsonl else None
    if contact is None:
        assert seen is not None
        return _Known(genesis, seen.handle, seen.url, seen.jsonl, seen.alarm)
    # A contact's alarm and chain are the person's to decide about; what they decided counts here, too.
    kind = None if contact.alarm is None else contact.alarm.kind
    return _Known(
        genesis,
        contact.handle,
        contact.sigchain_url,
        jsonl,
        kind.value if kind in (AlarmKind.FORK, AlarmKind.ROLLBACK) else None,
    )


async def _person(known: _Known) -> Person:
    chain = await trio.to_thread.run_sync(_decode, known.jsonl, known.genesis)
    return Person(known.genesis, known.handle, chain, known.alarm)


def _decode(jsonl: bytes, genesis: PublicKey) -> Chain:
    try:
        return decode_jsonl(jsonl, genesis)
    except KezError as error:
        raise TrustError(Slug.CHAIN_INVALID, f"the sigchain does not verify: {error}") from error


def _judge(genesis: PublicKey, known: bytes, offered: bytes) -> tuple[Chain, str | None]:
    before, now = _decode(known, genesis), _decode(offered, genesis)
    try:
        return compare(before, now, origin=True), None
    except ForkError:
        return before, AlarmKind.FORK.value
    except RollbackError:
        return before, AlarmKind.ROLLBACK.value
