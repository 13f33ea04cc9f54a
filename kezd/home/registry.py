"""The handle registry over HTTP: look up, register, WebFinger, and what a peer needs to start.

A cache and a gate, never an authority: every answer about a person holds the envelope that the
person signed, and peers check it themselves. Rules of PROTOCOL 10.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.routing import Route
from starlette.types import Receive, Scope

from kezd.home.errors import HttpError, Slug
from kezd.home.gate import Network
from kezd.home.http_wire import (
    CORS,
    Endpoint,
    Reply,
    client_address,
    json_reply,
    path_param,
    read_body,
)
from kezd.home.metrics import Metrics
from kezd.home.rate_limit import RateLimit
from kezd.home.store.ports import Record, Registered, RegistryStore, SigchainStore
from kezd.kez.envelope import Envelope, decode_envelope, encode_envelope
from kezd.kez.errors import HandleError, KezError, RegistrationError
from kezd.kez.handles import Handle, parse_handle
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey
from kezd.kez.registration import Reason, Registration, verify_registration
from kezd.kez.timestamps import format_timestamp
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

JRD = b"application/jrd+json"
REL_SIGCHAIN = "https://kez.lat/rel/sigchain"
REL_RECORD = "https://kez.lat/rel/record"
REL_PAGE = "http://webfinger.net/rel/profile-page"
REL_NATS = "https://kez.lat/rel/nats"
PROPERTY_PRIMARY = "https://kez.lat/ns/primary"


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What home says about itself: name, version, and the URLs that others reach it by."""

    server: str
    version: str
    url: str
    sigchain_url: str
    nats_urls: tuple[str, ...]
    guests: bool


class Registry:
    """The handlers; `routes` is the table."""

    def __init__(
        self,
        store: RegistryStore,
        facts: PublicFacts,
        rate_limit: RateLimit,
        trusted_proxies: Sequence[Network],
        clock: Clock,
        metrics: Metrics,
        sigchains: SigchainStore | None = None,
    ) -> None:
        self._store = store
        self._sigchains = sigchains
        self._facts = facts
        self._rate_limit = rate_limit
        self._trusted_proxies = trusted_proxies
        self._clock = clock
        self._metrics = metrics
        self._sigchain_prefix = f"{facts.sigchain_url}/v1/sigchains/ed25519/"
        self._sigchain_prefix_json = msgspec.json.encode(self._sigchain_prefix).decode()[1:-1]
        self._health = json_reply(200, {"status": "ok", "server": facts.server, "version": facts.version})
        self._server = json_reply(
            200,
            {
                "server": facts.server,
                "version": facts.version,
                "nats_urls": facts.nats_urls,
                "sigchain_url": facts.sigchain_url,
                "guests": facts.guests,
                "registration": "open",
            },
            CORS,
        )

    def routes(self) -> list[Route]:
        """Every public route of the registry, the most asked first."""
        table = (
            ("/v1/u/{handle}", "GET", self.by_handle),
            ("/v1/by-primary/{primary}", "GET", self.by_primary),
            ("/.well-known/webfinger", "GET", self.webfinger),
            ("/v1/healthz", "GET", self.healthz),
            ("/v1/server", "GET", self.server),
            ("/v1/register", "POST", self.register),
        )
        return [
            Route(path, Endpoint(path, handler, self._metrics), methods=[method])
            for path, method, handler in table
        ]

    async def healthz(self, _scope: Scope, _receive: Receive) -> Reply:
        """`{status, server, version}`."""
        return self._health

    async def server(self, _scope: Scope, _receive: Receive) -> Reply:
        """What a peer needs to know besides this URL."""
        return self._server

    async def by_handle(self, scope: Scope, _receive: Receive) -> Reply:
        """The record of `alice` or `alice@server`; 404."""
        text = path_param(scope, "handle")
        record = await self._store.by_handle(text)
        if record is None and "@" in text:
            record = await self._by_full_handle(text)
        if record is None:
            raise _nobody()
        return Reply(200, self._encode(record))

    async def by_primary(self, scope: Scope, _receive: Receive) -> Reply:
        """The record of a primary, also of one that an identity's chain was rotated to; 400 on garbage, 404."""
        try:
            primary = parse_primary(path_param(scope, "primary"))
        except KezError as error:
            raise HttpError(400, Slug.BAD_REQUEST, str(error), "a primary is ed25519:<64 hex>") from error
        record = await self._store.by_primary(primary.raw)
        if record is None and self._sigchains is not None:
            genesis = await self._sigchains.genesis_of(primary.raw)
            record = None if genesis is None else await self._store.by_primary(genesis)
        if record is None:
            raise _nobody()
        return Reply(200, self._encode(record))

    async def webfinger(self, scope: Scope, _receive: Receive) -> Reply:
        """RFC 7033: `resource=acct:user@server`, optional `rel` filters; CORS `*` also on errors."""
        try:
            query = parse_qsl(scope["query_string"].decode("ascii"), strict_parsing=True, max_num_fields=32)
            resources = [value for name, value in query if name == "resource"]
            if len(resources) != 1 or not resources[0].startswith("acct:"):
                raise ValueError("one resource")
        except ValueError as error:
            hint = f"?resource=acct:alice@{self._facts.server}"
            bad = HttpError(400, Slug.BAD_REQUEST, "resource must be one acct: URI", hint, headers=_CORS)
            raise bad from error
        record = await self._by_full_handle(resources[0].removeprefix("acct:"))
        if record is None:
            raise _nobody(_CORS)
        rels = {value for name, value in query if name == "rel"}
        return Reply(200, msgspec.json.encode(self._jrd(record, rels)), JRD, (CORS,))

    async def register(self, scope: Scope, receive: Receive) -> Reply:
        """A signed registration; 201, or 200 for the same bytes again."""
        self._rate_limit.take(client_address(scope, self._trusted_proxies))
        envelope = _decode(await read_body(scope, receive))
        now = self._clock.now()
        try:
            registration = verify_registration(envelope, server=self._facts.server, now=int(now))
        except RegistrationError as error:
            known = await self._known_before(envelope) if error.reason == Reason.STALE_DATE else None
            if known is None:
                raise _refused(error, self._facts.server) from error
            return Reply(200, self._encode(known))
        return await self._create(registration, encode_envelope(envelope), int(now))

    async def _create(self, registration: Registration, envelope: bytes, now: int) -> Reply:
        name, primary = registration.handle.name, registration.primary
        record = Record(name, primary.raw, envelope, now)
        match await self._store.register(record):
            case Registered.CREATED:
                log.info("handle registered", extra={"registered": await self._store.count()})
                return Reply(201, self._encode(record))
            case taken:
                known = await self._store.by_primary(primary.raw)
                if known is not None and known.envelope == envelope:
                    return Reply(200, self._encode(known))
                raise _taken(taken)

    async def _known_before(self, envelope: Envelope) -> Record | None:
        """The record of these very bytes, which may be older than the freshness rule."""
        registration = verify_registration(envelope, server=self._facts.server, now=None)
        known = await self._store.by_primary(registration.primary.raw)
        return known if known is not None and known.envelope == encode_envelope(envelope) else None

    async def _by_full_handle(self, text: str) -> Record | None:
        try:
            handle: Handle = parse_handle(text, self._facts.server)
        except HandleError:
            return None
        return await self._store.by_handle(handle.name) if handle.server == self._facts.server else None

    def _encode(self, record: Record) -> bytes:
        """The record as JSON, put together by hand: no part of it can hold a character to escape."""
        handle, primary = record.handle, record.primary.hex()
        start = (
            f'{{"handle":"{handle}","fqhn":"{handle}@{self._facts.server}","primary":"ed25519:{primary}",'
            f'"sigchain_url":"{self._sigchain_prefix_json}{primary}",'
            f'"registered_at":"{_timestamp(record.registered_at)}","registration":'
        )
        return b"".join((start.encode(), record.envelope, b',"proofs":', record.proofs, b"}"))

    def _jrd(self, record: Record, rels: set[str]) -> dict[str, Any]:
        primary = PublicKey(record.primary)
        links = [
            {
                "rel": REL_RECORD,
                "type": "application/json",
                "href": f"{self._facts.url}/v1/u/{record.handle}",
            },
            {"rel": REL_PAGE, "type": "text/html", "href": f"{self._facts.url}/u/{record.handle}"},
            {"rel": REL_SIGCHAIN, "type": "application/jsonl", "href": self._sigchain_prefix + primary.hex},
            *({"rel": REL_NATS, "href": url} for url in self._facts.nats_urls),
        ]
        return {
            "subject": f"acct:{record.handle}@{self._facts.server}",
            "aliases": [primary.primary],
            "properties": {PROPERTY_PRIMARY: primary.primary},
            "links": [link for link in links if not rels or link["rel"] in rels],
        }


# A memo of a pure function, bounded: formatting a date costs half as much as finding the record.
_timestamp = lru_cache(maxsize=4096)(format_timestamp)

_CORS: Mapping[str, str] = {"Access-Control-Allow-Origin": "*"}

_SLUG_BY_REASON: Mapping[Reason, Slug] = {
    Reason.WRONG_TYPE: Slug.BAD_REQUEST,
    Reason.WRONG_VERSION: Slug.BAD_REQUEST,
    Reason.BAD_ENVELOPE: Slug.BAD_REQUEST,
    Reason.BAD_KEY: Slug.BAD_REQUEST,
    Reason.KEY_MISMATCH: Slug.BAD_SIGNATURE,
    Reason.BAD_SIGNATURE: Slug.BAD_SIGNATURE,
    Reason.SERVER_MISMATCH: Slug.SERVER_MISMATCH,
    Reason.BAD_HANDLE: Slug.BAD_HANDLE,
    Reason.STALE_DATE: Slug.STALE_DATE,
}


def _decode(body: bytes) -> Envelope:
    try:
        return decode_envelope(body)
    except KezError as error:
        raise HttpError(400, Slug.BAD_REQUEST, str(error), "send one signature envelope as JSON") from error


def _refused(error: RegistrationError, server: str) -> HttpError:
    slug = _SLUG_BY_REASON[Reason(error.reason)]
    hints = {
        Slug.SERVER_MISMATCH: f"this server is {server}",
        Slug.STALE_DATE: "check this machine's clock, then sign again",
        Slug.BAD_SIGNATURE: "sign the JCS of the payload with the primary's key",
        Slug.BAD_HANDLE: "choose another handle",
    }
    return HttpError(400, slug, str(error), hints.get(slug, "see docs/protocol"))


def _taken(taken: Registered) -> HttpError:
    if taken is Registered.HANDLE_TAKEN:
        return HttpError(409, Slug.HANDLE_TAKEN, "that handle is taken", "choose another handle")
    return HttpError(409, Slug.PRIMARY_TAKEN, "that key has a handle here already", "look it up by-primary")


def _nobody(headers: Mapping[str, str] | None = None) -> HttpError:
    return HttpError(404, Slug.NOT_FOUND, "nobody has that here", "check the spelling", headers=headers)
