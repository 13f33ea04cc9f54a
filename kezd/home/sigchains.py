"""The sigchain server over HTTP: read a chain, append one verified event.

No accounts: the signature is the permission. Every event is verified against the whole chain
before it is stored, and stored by compare-and-set on the head, so that two uploads of one seq can
never both stand. Peers verify all of it again. Rules of PROTOCOL 10.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from starlette.routing import Route
from starlette.types import Receive, Scope

from kezd.home.errors import HttpError, Slug
from kezd.home.gate import Network
from kezd.home.http_wire import (
    CORS,
    Endpoint,
    Reply,
    client_address,
    header,
    json_reply,
    path_param,
    read_body,
)
from kezd.home.metrics import Metrics
from kezd.home.rate_limit import RateLimit
from kezd.home.store.ports import NewEvent, SigchainStore, StoredHead
from kezd.kez.envelope import EnvelopeKind, verify_envelope
from kezd.kez.errors import ConflictError, KezError
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import NostrKey
from kezd.kez.sigchain import Chain, Event, decode_event, decode_jsonl
from kezd.kez.sigchain.chain import MAX_CHAIN

log = logging.getLogger(__name__)

JSONL = b"application/jsonl"
PART_BYTES = 128 * 1024
CACHED_BYTES = 4 * 1024 * 1024
THREAD_ABOVE = 64 * 1024
"""Bytes of a chain above which it is verified off the event loop."""

ALGORITHMS = ("ed25519", "nostr")
_NOSTR_ADDRESS = b"kez-chain-address/nostr\x00"


def chain_address(genesis: PublicKey) -> bytes:
    """The 32 bytes that a key's chain is stored under: an ed25519 key itself, of a nostr key a hash.

    The same 32 bytes may be a key of both kinds, which are two people.
    """
    if isinstance(genesis, NostrKey):
        return hashlib.sha256(_NOSTR_ADDRESS + genesis.raw).digest()
    return genesis.raw


class ChainCache:
    """Chains that were verified lately, by genesis; bounded by their bytes as JSONL."""

    def __init__(self, max_bytes: int = CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._chains: OrderedDict[bytes, Chain] = OrderedDict()
        self._bytes = 0

    def get(self, address: bytes, head: StoredHead) -> Chain | None:
        """The chain if it is here and ends at that head."""
        chain = self._chains.get(address)
        if chain is None or chain.head is None or chain.head.hash != head.hash:
            return None
        self._chains.move_to_end(address)
        return chain

    def put(self, chain: Chain) -> None:
        """Keep a chain, drop the longest unused ones."""
        address = chain_address(chain.genesis)
        old = self._chains.pop(address, None)
        self._bytes += chain.size - (old.size if old else 0)
        self._chains[address] = chain
        while self._bytes > self._max_bytes and len(self._chains) > 1:
            _, dropped = self._chains.popitem(last=False)
            self._bytes -= dropped.size


class Sigchains:
    """The handlers; `routes` is the table."""

    def __init__(
        self,
        store: SigchainStore,
        cache: ChainCache,
        rate_limit: RateLimit,
        trusted_proxies: Sequence[Network],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._cache = cache
        self._rate_limit = rate_limit
        self._trusted_proxies = trusted_proxies
        self._metrics = metrics
        self._long_chains = asyncio.Semaphore(1)

    def routes(self) -> list[Route]:
        """Both routes of the sigchain server."""
        table = (
            ("/v1/sigchains/{alg}/{key}", "GET", self.read),
            ("/v1/sigchains/{alg}/{key}/events", "POST", self.append),
        )
        return [
            Route(path, Endpoint(path, handler, self._metrics, CORS), methods=[method])
            for path, method, handler in table
        ]

    async def read(self, scope: Scope, _receive: Receive) -> Reply:
        """The chain as JSONL, with its head's hash as ETag; 404 when unknown."""
        address = chain_address(_genesis(scope))
        head = await self._store.head(address)
        if head is None:
            raise _unknown()
        if _matches(header(scope, b"if-none-match"), head):
            return Reply(304, b"", JSONL, (_etag(head),))
        part, last = await self._store.read_part(address, 0, head.seq, PART_BYTES)
        rest = self._rest(address, last, head.seq) if last < head.seq else None
        return Reply(200, part, JSONL, (_etag(head), (b"cache-control", b"no-cache")), rest)

    async def _rest(self, address: bytes, last: int, up_to: int) -> AsyncIterator[bytes]:
        """In parts, as fast as the reader takes them: a slow one must not hold 16 MiB of ours."""
        while last < up_to:
            part, last = await self._store.read_part(address, last, up_to, PART_BYTES)
            yield part

    async def append(self, scope: Scope, receive: Receive) -> Reply:
        """One event: 201, 200 for the same one again, 400, 409 with the head, 413, 429."""
        self._rate_limit.take(client_address(scope, self._trusted_proxies))
        genesis = _genesis(scope)
        event = _decode(await read_body(scope, receive))
        head = await self._store.head(chain_address(genesis))
        if await self._store.event_hash(chain_address(genesis), event.seq) == event.hash:
            return json_reply(200, {"seq": event.seq, "hash": event.hash})
        if event.seq != (head.seq if head else 0) + 1 or event.prev != (head.hash if head else None):
            raise _conflict(head)
        chain = await self._verified(genesis, head, event)
        new = NewEvent(event.seq, event.hash, event.encoded, chain_address(chain.current))
        other = await self._store.append(chain_address(genesis), new)
        if other is not None:
            if await self._store.event_hash(chain_address(genesis), event.seq) == event.hash:
                return json_reply(200, {"seq": event.seq, "hash": event.hash})
            raise _conflict(other)
        self._cache.put(chain)
        return json_reply(201, {"seq": event.seq, "hash": event.hash})

    async def _verified(self, genesis: PublicKey, head: StoredHead | None, event: Event) -> Chain:
        """The chain with the event at its end."""
        signer = await self._store.current_of(chain_address(genesis)) or chain_address(genesis)
        try:
            # Before the chain is looked at: a stranger's event must not cost a long chain's verification.
            if chain_address(verify_envelope(event.envelope, EnvelopeKind.SIGCHAIN_EVENT)) != signer:
                raise _bad(Slug.BAD_SIGNATURE, "the event is not signed by this chain's current key")
            chain = await self._chain(genesis, head)
            if chain.size + len(event.encoded) + 1 > MAX_CHAIN:
                raise HttpError(413, Slug.TOO_LARGE, f"a chain has at most {MAX_CHAIN} bytes", "")
            return chain.append(event)
        except ConflictError as error:
            raise _conflict(head) from error
        except KezError as error:
            if isinstance(error, HttpError):
                raise
            raise _bad(Slug.BAD_SIGNATURE, str(error)) from error

    async def _chain(self, genesis: PublicKey, head: StoredHead | None) -> Chain:
        if head is None:
            return Chain.empty(genesis)
        cached = self._cache.get(chain_address(genesis), head)
        if cached is not None:
            return cached
        stored = await self._store.read(chain_address(genesis))
        assert stored is not None, "a chain with a head has events"
        lines = stored[1]
        if len(lines) > THREAD_ABOVE:
            return await self._long_chain(genesis, head, lines)
        chain = decode_jsonl(lines, genesis)
        self._cache.put(chain)
        return chain

    async def _long_chain(self, genesis: PublicKey, head: StoredHead, lines: bytes) -> Chain:
        """Seconds of a core for 500 bytes of request: once for each chain, and never two at a time."""
        async with self._long_chains:
            chain = self._cache.get(chain_address(genesis), head)
            if chain is None:
                chain = await asyncio.to_thread(decode_jsonl, lines, genesis)
                self._cache.put(chain)
            return chain


def _genesis(scope: Scope) -> PublicKey:
    algorithm = path_param(scope, "alg")
    if algorithm not in ALGORITHMS:
        raise _bad(Slug.BAD_REQUEST, f"the algorithms served here are {', '.join(ALGORITHMS)}")
    try:
        if algorithm == "nostr":
            return NostrKey.from_npub(path_param(scope, "key"))
        return PublicKey.from_hex(path_param(scope, "key"))
    except KezError as error:
        raise _bad(Slug.BAD_REQUEST, str(error)) from error


def _decode(body: bytes) -> Event:
    try:
        return decode_event(body)
    except KezError as error:
        raise _bad(Slug.BAD_REQUEST, str(error)) from error


def _etag(head: StoredHead) -> tuple[bytes, bytes]:
    return b"etag", f'"{head.hash}"'.encode()


def _matches(if_none_match: bytes | None, head: StoredHead) -> bool:
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return b"*" in tags or f'"{head.hash}"'.encode() in tags


def _conflict(head: StoredHead | None) -> HttpError:
    shown = {"seq": head.seq, "hash": head.hash} if head and head.seq else {"seq": 0, "hash": None}
    return HttpError(
        409, Slug.CONFLICT, "the event does not follow the head of this chain",
        "fetch the chain, then sign an event that follows its head", members={"head": shown},
    )  # fmt: skip


def _bad(slug: Slug, message: str) -> HttpError:
    return HttpError(400, slug, message, "send one signed sigchain event as JSON")


def _unknown() -> HttpError:
    return HttpError(404, Slug.NOT_FOUND, "that chain is not known here", "its owner uploads the first event")
