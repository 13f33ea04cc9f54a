"""Our own sigchain: what is stored, what the server has, and the events that are missing.

Each event is signed, stored as pending, uploaded, applied, in that order. Invariants: the
bytes of a stored event never change and are sent again until the server has them or has
another event in their place; nothing is signed before the server's head was fetched; a
fork of our own chain is an alarm, never resolved here.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import trio

from kezd.errors import RequestError, Slug, TrustError, UnavailableError
from kezd.kez.errors import ForkError, KezError, RollbackError
from kezd.kez.keys import PublicKey
from kezd.kez.sealed import VERSION
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain import (
    Add,
    Chain,
    Device,
    Event,
    IrohEndpoint,
    Members,
    NatsEndpoint,
    RemoveEndpoint,
    Revoke,
    RevokeDevice,
    SharedFiles,
    add_iroh_endpoint,
    add_nats_endpoint,
    compare,
    decode_event,
    decode_jsonl,
    event_from_envelope,
    event_payload,
    read_action,
    remove_endpoint,
    rotate,
)
from kezd.kez.signing import Signer
from kezd.runtime.clock import Clock
from kezd.services.ports import HomeDirectory
from kezd.store import sigchains
from kezd.store.database import Database

log = logging.getLogger(__name__)

ROUNDS: Final = 4
"""How often a race with another installation of ours is tried again."""


def missing_operations(chain: Chain, nats_url: str) -> Iterator[tuple[str, Members]]:
    """What the chain has to say about where we are reached, and does not say yet."""
    inbox = inbox_prefix(chain.genesis)  # a home keeps an identity's mail by its first key
    for endpoint in chain.nats_endpoints:
        if endpoint.url != nats_url:
            yield "remove_endpoint", remove_endpoint("nats", endpoint.url)
    ours = [e for e in chain.nats_endpoints if e.url == nats_url]
    if not any(e.inbox == inbox and VERSION in e.accepts for e in ours):
        yield "add_endpoint", add_nats_endpoint(nats_url, inbox, [VERSION])
    retired = {key.hex for key, _ in chain.retired_keys}
    for node in chain.iroh_endpoints:
        if node.node_id in retired:
            yield "remove_endpoint", remove_endpoint("iroh", node.node_id)
    if not any(e.node_id == chain.current.hex for e in chain.iroh_endpoints):
        yield "add_endpoint", add_iroh_endpoint(chain.current.hex)


async def verify_jsonl(jsonl: bytes, genesis: PublicKey) -> Chain:
    """Verify a chain in a thread: a long one takes seconds of CPU.

    Raises:
        TrustError: `chain_invalid`.
    """
    try:
        return await trio.to_thread.run_sync(decode_jsonl, jsonl, genesis)
    except KezError as error:
        raise TrustError(Slug.CHAIN_INVALID, f"the sigchain does not verify: {error}") from error


def says(chain: Chain, op: str, members: Members) -> bool:
    """Whether the chain says already what this op would say."""
    try:
        action = read_action(op, members)
    except KezError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, str(error)) from error
    match action:
        case Add():
            return action in chain.subjects
        case Revoke(subject=subject):
            return subject in chain.revoked_subjects
        case Device():
            return action in chain.devices
        case RevokeDevice(device=device):
            return all(known.device != device for known in chain.devices)
        case NatsEndpoint():
            return action in chain.nats_endpoints
        case IrohEndpoint():
            return action in chain.iroh_endpoints
        case RemoveEndpoint(protocol="nats", id=id_):
            return all(known.url != id_ for known in chain.nats_endpoints)
        case RemoveEndpoint(protocol="iroh", id=id_):
            return all(known.node_id != id_ for known in chain.iroh_endpoints)
        case SharedFiles():
            return action == chain.shared_files
        case _:
            return False


def _of_this_key(chain: Chain, signer: Signer) -> Chain:
    if chain.current != signer.public:
        raise TrustError(Slug.CHAIN_INVALID, "the sigchain has a newer key than this installation")
    return chain


class OwnChain:
    """Keeps our chain here and on the server the same."""

    def __init__(self, db: Database, home: HomeDirectory, clock: Clock) -> None:
        self._db = db
        self._home = home
        self._clock = clock

    async def load(self, genesis: PublicKey) -> Chain:
        """The applied events."""
        return await verify_jsonl(await self._db.read(lambda tx: sigchains.load_jsonl(tx, genesis)), genesis)

    async def fetch(self, sigchain_url: str, genesis: PublicKey) -> Chain:
        """The server's chain, verified.

        Raises:
            UnavailableError: it does not answer.
            TrustError: `chain_invalid`, `home_lied`.
        """
        fetched = await self._home.fetch_chain(sigchain_url, genesis)
        return await verify_jsonl(b"" if fetched is None else fetched.jsonl, genesis)

    async def append(
        self, signer: Signer, genesis: PublicKey, sigchain_url: str, op: str, members: Members
    ) -> Chain:
        """Bring both sides to a chain that says this; nothing is signed when it does already.

        Raises:
            RequestError: `invalid_argument` when the op does not hold.
            UnavailableError: the server does not answer or refuses; what was signed is stored and resent.
            TrustError: as `publish`.
        """
        return await self._patiently(lambda: self._append(signer, genesis, sigchain_url, op, members))

    async def rotate(self, signer: Signer, coming: Signer, genesis: PublicKey, sigchain_url: str) -> Chain:
        """Bring both sides to a chain whose current key is the coming one.

        Raises:
            UnavailableError: the server does not answer or refuses; what was signed is stored and resent.
            TrustError: as `publish`.
        """
        return await self._patiently(lambda: self._rotate(signer, coming, genesis, sigchain_url))

    async def publish(self, signer: Signer, genesis: PublicKey, sigchain_url: str, nats_url: str) -> Chain:
        """Bring both sides to the chain that says where we are reached.

        Raises:
            UnavailableError: the server does not answer or refuses; what was signed is stored and resent.
            TrustError: `chain_fork` when the server has other events than we signed; `chain_invalid`.
        """
        return await self._patiently(lambda: self._publish(signer, genesis, sigchain_url, nats_url))

    async def _patiently(self, extend: Callable[[], Awaitable[Chain]]) -> Chain:
        for _ in range(ROUNDS):
            try:
                return await extend()
            except RequestError as error:
                if error.slug is not Slug.IDEMPOTENCY_CONFLICT:
                    raise
                log.info("another installation extended the sigchain")
        raise UnavailableError(Slug.HOME_REFUSED, "the sigchain keeps changing under our hands")

    async def _publish(self, signer: Signer, genesis: PublicKey, url: str, nats_url: str) -> Chain:
        chain = _of_this_key(await self._agree(genesis, url), signer)
        while (missing := next(missing_operations(chain, nats_url), None)) is not None:
            chain = await self._sign(signer, chain, url, *missing)
        return chain

    async def _append(self, signer: Signer, genesis: PublicKey, url: str, op: str, members: Members) -> Chain:
        chain = _of_this_key(await self._agree(genesis, url), signer)
        return chain if says(chain, op, members) else await self._sign(signer, chain, url, op, members)

    async def _rotate(self, signer: Signer, coming: Signer, genesis: PublicKey, url: str) -> Chain:
        chain = await self._agree(genesis, url)
        if chain.current == coming.public:
            return chain
        _of_this_key(chain, signer)
        at, new = int(self._clock.now()), coming.public
        consent = coming.rotate_consent(event_payload(chain, "rotate", rotate(new), at))
        payload = event_payload(chain, "rotate", rotate(new, consent), at)
        return await self._add(chain, event_from_envelope(signer.sigchain_event(payload)), url)

    async def _sign(self, signer: Signer, chain: Chain, url: str, op: str, members: Members) -> Chain:
        try:
            event = event_from_envelope(
                signer.sigchain_event(event_payload(chain, op, members, int(self._clock.now())))
            )
            chain.append(event)
        except KezError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, f"the sigchain does not take that: {error}") from error
        return await self._add(chain, event, url)

    async def _agree(self, genesis: PublicKey, url: str) -> Chain:
        """The chain that both sides have, after what only one of them had has gone to the other."""
        chain = await self._settle(await self.load(genesis), await self.fetch(url, genesis), url)
        pending = await self._db.read(lambda tx: sigchains.load_pending(tx, genesis))
        if pending is None:
            return chain
        event = decode_event(pending)  # the server has none in its place, else it had been replaced
        await self._home.append_event(url, genesis, event)
        await self._db.write(lambda tx: sigchains.apply_pending(tx, genesis))
        return chain.append(event)

    async def _settle(self, known: Chain, offered: Chain, url: str) -> Chain:
        try:
            longer = compare(known, offered, origin=True)
        except ForkError as error:
            raise TrustError(
                Slug.CHAIN_FORK, f"our own sigchain has two versions from event {error.seq} on"
            ) from error
        except RollbackError:
            log.warning("the sigchain server has lost events", extra={"seq": len(offered.events)})
            for event in known.events[len(offered.events) :]:
                await self._home.append_event(url, known.genesis, event)
            return known
        if longer is not known:  # a pending event is among these, or another has taken its place
            await self._db.write(lambda tx: sigchains.replace_events(tx, longer.genesis, longer.events))
        return longer

    async def _add(self, chain: Chain, event: Event, url: str) -> Chain:
        longer = chain.append(event)
        await self._db.write(lambda tx: sigchains.add_pending(tx, chain.genesis, event))
        await self._home.append_event(url, chain.genesis, event)
        await self._db.write(lambda tx: sigchains.apply_pending(tx, chain.genesis))
        return longer
