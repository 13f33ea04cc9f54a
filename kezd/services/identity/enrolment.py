"""Registering our key under a handle, and finding the handle of our key.

Not here: the chain and the row's later states. Invariants: a registration is stored by the
caller before `send`; the same bytes are sent again after a crash, and only a date that the
home calls stale makes new ones; what the home answers is verified like a stranger's.
"""

import logging
from dataclasses import dataclass, replace

from kezd.errors import RequestError, Slug, TrustError, UnavailableError
from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope
from kezd.kez.errors import HandleError, RegistrationError
from kezd.kez.handles import Handle, parse_handle
from kezd.kez.keys import PublicKey
from kezd.kez.registration import registration_payload, verify_registration
from kezd.kez.signing import Signer
from kezd.runtime.clock import Clock
from kezd.runtime.home_answers import HandleRecord
from kezd.services.ports import HomeDirectory
from kezd.store.identity import StoredIdentity

log = logging.getLogger(__name__)
STALE = "stale_date"


@dataclass(frozen=True, slots=True)
class Found:
    """A verified record of our own key, or of the identity that it is said to sign for now."""

    genesis: PublicKey
    handle: Handle
    sigchain_url: str
    registered_at: int
    registration: bytes


def parse_own_handle(text: str, server: str) -> Handle:
    """The handle that a person wants at `server`, with or without its server.

    Raises:
        RequestError: `invalid_argument`.
    """
    try:
        handle = parse_handle(text, server)
    except HandleError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error), detail={"field": "handle"}) from error
    if handle.server != server:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"that home registers handles at {server}, not at {handle.server}",
            hint="give the URL of the other home, or leave the server out",
            detail={"field": "handle"},
        )
    return handle


class Enrolment:
    """Registers and finds."""

    def __init__(self, home: HomeDirectory, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def prepare(self, signer: Signer, row: StoredIdentity, wanted: Handle, url: str) -> StoredIdentity:
        """The row with a signed registration, the one it has already if it is for that handle."""
        if row.registration is not None and (row.name, row.server, row.home_url) == (
            wanted.name,
            wanted.server,
            url,
        ):
            return row
        return self._signed(signer, row, wanted, url)

    def _signed(self, signer: Signer, row: StoredIdentity, wanted: Handle, url: str) -> StoredIdentity:
        payload = registration_payload(wanted, signer.public, int(self._clock.now()))
        return replace(
            row,
            name=wanted.name,
            server=wanted.server,
            home_url=url,
            registration=encode_envelope(signer.registration(payload)),
        )

    def renew(self, signer: Signer, row: StoredIdentity) -> StoredIdentity:
        """The row with a registration of today, after the home called the stored one stale."""
        assert row.name is not None
        assert row.server is not None
        assert row.home_url is not None
        return self._signed(signer, row, Handle(row.name, row.server), row.home_url)

    async def send(self, row: StoredIdentity) -> StoredIdentity:
        """Send the stored registration; the row as registered.

        Raises:
            RequestError: `handle_taken`, `primary_taken`, `invalid_argument`.
            UnavailableError: as `HomeDirectory.register`; `detail.reason` is `stale_date` for an old date.
            TrustError: `home_lied`.
        """
        assert row.name is not None
        assert row.server is not None
        assert row.registration is not None
        wanted = Handle(row.name, row.server)
        try:
            record = await self._home.register(row.server, decode_envelope(row.registration))
        except RequestError as error:
            if error.slug not in (Slug.HANDLE_TAKEN, Slug.PRIMARY_TAKEN):
                raise
            found = await self._ours(row.genesis, wanted, error)
        else:
            found = _verified(record, row.genesis)
        if found.handle != wanted:
            raise TrustError(Slug.HOME_LIED, f"asked for {wanted}, the home registered {found.handle}")
        return replace(
            row,
            registration=found.registration,
            registered_at=found.registered_at,
            sigchain_url=found.sigchain_url,
        )

    async def _ours(self, genesis: PublicKey, wanted: Handle, refusal: RequestError) -> Found:
        """An earlier registration of ours whose answer was lost, else the refusal."""
        record = await self._home.lookup_primary(wanted.server, genesis)
        if record is None:
            raise refusal
        found = _verified(record, genesis)
        if found.handle != wanted:
            raise RequestError(
                Slug.PRIMARY_TAKEN,
                f"this key is registered as {found.handle}",
                hint=f"kez register {found.handle}",
            ) from refusal
        log.info("the handle was ours already")
        return found

    async def find(self, key: PublicKey, server: str) -> Found:
        """The record, at the home of `server`, of the identity that a key is said to sign for.

        The caller checks the chain: the record is the first key's.

        Raises:
            RequestError: `not_registered`.
            UnavailableError: `home_unreachable`.
            TrustError: `home_lied`.
        """
        record = await self._home.lookup_primary(server, key)
        if record is None:
            raise RequestError(
                Slug.NOT_REGISTERED,
                f"the home of {server} knows no handle of these words",
                hint="were you at another home? give its URL",
            )
        return _verified(record, record.primary)


def is_stale(error: UnavailableError) -> bool:
    """Whether the home refused because of the registration's date."""
    return error.detail.get("reason") == STALE


def _verified(record: HandleRecord, genesis: PublicKey) -> Found:
    envelope: Envelope = record.registration
    try:
        registration = verify_registration(envelope, server=record.handle.server, now=None)
    except RegistrationError as error:
        raise TrustError(Slug.HOME_LIED, f"our registration does not verify: {error}") from error
    if registration.primary != genesis or registration.handle != record.handle:
        raise TrustError(Slug.HOME_LIED, "the home answered with somebody else's registration")
    return Found(genesis, record.handle, record.sigchain_url, record.registered_at, encode_envelope(envelope))
