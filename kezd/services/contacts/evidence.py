"""What home servers say about somebody, checked: registration, chain, and how it differs from before.

Knows no database. Everything that comes out of here was verified; what does not verify is
a `TrustError`, or a `Trouble` when it contradicts what was seen before.
"""

import hashlib
from dataclasses import dataclass

import trio

from kezd.errors import Slug, TrustError
from kezd.kez.envelope import encode_envelope
from kezd.kez.errors import ForkError, KezError, RegistrationError, RollbackError, SigchainError
from kezd.kez.handles import Handle
from kezd.kez.keys import PublicKey
from kezd.kez.registration import verify_registration
from kezd.kez.sealed import VERSION
from kezd.kez.sigchain import Chain, Event, NatsEndpoint, compare, decode_jsonl
from kezd.runtime.home_answers import HandleRecord
from kezd.services.ports import HomeDirectory
from kezd.store.contacts import AlarmKind, ChainFacts


@dataclass(frozen=True, slots=True)
class Record:
    """A verified record: the key's owner has signed that this handle is theirs."""

    handle: Handle
    genesis: PublicKey
    sigchain_url: str
    registration: bytes


@dataclass(frozen=True, slots=True)
class ChainNews:
    """A verified chain that is as long as the known one or longer."""

    facts: ChainFacts
    events: tuple[Event, ...]
    sigchain_url: str
    etag: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What contradicts the chain that was seen before."""

    kind: AlarmKind
    detail: str
    about: str


def verify_record(record: HandleRecord) -> Record:
    """Check the registration that a home showed.

    Raises:
        TrustError: `home_lied`.
    """
    try:
        registration = verify_registration(record.registration, server=record.handle.server, now=None)
    except RegistrationError as error:
        raise TrustError(Slug.HOME_LIED, f"the registration does not verify: {error}") from error
    if registration.handle != record.handle or registration.primary != record.primary:
        raise TrustError(Slug.HOME_LIED, "the home answers with somebody else's registration")
    return Record(record.handle, record.primary, record.sigchain_url, encode_envelope(record.registration))


async def fetch_chain(
    home: HomeDirectory, genesis: PublicKey, sigchain_url: str, known: bytes, etag: str | None
) -> ChainNews | Trouble | None:
    """The chain as its server has it, compared with what was seen.

    Args:
        home: asks.
        genesis: whose chain.
        sigchain_url: of its server.
        known: JSONL of the longest chain seen, empty for none.
        etag: of that one, to be told only when it has changed.

    Returns:
        The news, trouble, or None when nothing has changed.

    Raises:
        UnavailableError: the server does not answer.
        TrustError: `home_lied`.
    """
    fetched = await home.fetch_chain(sigchain_url, genesis, etag if known else None)
    if fetched is None:
        return None
    # In a thread: a stranger's chain may take seconds of CPU.
    judged = await trio.to_thread.run_sync(_judge, genesis, known, fetched.jsonl)
    if isinstance(judged, Trouble):
        return judged
    return ChainNews(chain_facts(judged), judged.events, sigchain_url, fetched.etag)


def _judge(genesis: PublicKey, known: bytes, offered: bytes) -> Chain | Trouble:
    try:
        chain = decode_jsonl(offered, genesis)
    except KezError as error:
        digest = hashlib.sha256(offered).hexdigest()
        return Trouble(AlarmKind.CHAIN_INVALID, f"the sigchain does not verify: {error}", digest)
    shown = "nothing" if chain.head is None else f"{chain.head.seq}:{chain.head.hash}"
    try:
        return compare(decode_jsonl(known, genesis), chain, origin=True)
    except ForkError as error:
        return Trouble(AlarmKind.FORK, f"two versions of the sigchain from event {error.seq} on", shown)
    except RollbackError as error:
        return Trouble(AlarmKind.ROLLBACK, f"the sigchain is shorter than before: {error}", shown)
    except SigchainError as error:
        return Trouble(AlarmKind.CHAIN_INVALID, str(error), shown)


def chain_facts(chain: Chain) -> ChainFacts:
    """What messages need of a verified chain."""
    endpoint = _endpoint(chain)
    return ChainFacts(
        current=chain.current,
        keys=((chain.current, None), *chain.retired_keys),
        seq=len(chain.events),
        head=None if chain.head is None else chain.head.hash,
        nats_url=None if endpoint is None else endpoint.url,
        inbox=None if endpoint is None else endpoint.inbox,
        accepts=() if endpoint is None else endpoint.accepts,
    )


def _endpoint(chain: Chain) -> NatsEndpoint | None:
    """The first place where they read what we write, else the first one."""
    endpoints = chain.nats_endpoints
    return next((e for e in endpoints if VERSION in e.accepts), endpoints[0] if endpoints else None)
