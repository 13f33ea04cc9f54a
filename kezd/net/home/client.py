"""`HomeDirectory` over HTTP: the person's own home, and the homes of other servers.

Asks, checks that the answer has the agreed shape and belongs to the question, and hands it
on. Believes nothing: registrations and chains are verified by the services. Keeps no state
but its connections and the address of the person's own home.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

from kezd.errors import RequestError, Slug
from kezd.kez.envelope import Envelope, encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import MAX_CHAIN, Event, Head
from kezd.net.home.answers import (
    ANSWER_BYTES,
    append_error,
    chain_of,
    error_slug,
    lied,
    parse_appended,
    parse_found,
    parse_info,
    parse_jrd,
    parse_record,
    profile_error,
    register_error,
)
from kezd.net.home.http import EXCHANGE_SECONDS, Answer, Http
from kezd.runtime.home_answers import FetchedChain, HandleRecord, HomeInfo
from kezd.runtime.urls import is_acceptable_url

_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,196}"')


class HomeClient:
    """The homes as `HomeDirectory`.

    Args:
        http: makes the exchanges.
        base_url: the URL of the home of a server name, for all but the person's own.
    """

    def __init__(self, http: Http, base_url: Callable[[str], str]) -> None:
        self._http = http
        self._base_url = base_url
        self._own: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, base_url: Callable[[str], str], *, version: str, seconds: float = EXCHANGE_SECONDS
    ) -> AsyncIterator["HomeClient"]:
        """Keep connections for the length of the block; `seconds` bounds each exchange."""
        async with Http.open(user_agent=f"kezd/{version}", seconds=seconds) as http:
            yield cls(http, base_url)

    def use(self, server: str, url: str) -> None:
        """From now on the home of `server` is asked at `url`."""
        self._own = {server: url.rstrip("/")}

    async def info(self, server: str) -> HomeInfo:
        """What the home of `server` offers."""
        info = await self.info_at(self._base(server))
        if info.server != server:
            raise lied(f"it is the home of {info.server}, not of {server}")
        return info

    async def info_at(self, url: str) -> HomeInfo:
        """What the home at `url` says of itself."""
        if not is_acceptable_url(url):
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                "a home's URL is https://… (http only on this machine), without a query",
            )
        base = url.rstrip("/")
        answer = await self._get(f"{base}/v1/server")
        if answer.status != 200:
            raise lied(f"there is no home server of this kind at the URL (status {answer.status})")
        return parse_info(answer.body, base)

    async def lookup(self, handle: Handle) -> HandleRecord | None:
        """The record of a handle: own API, else WebFinger."""
        base = self._base(handle.server)
        answer = await self._get(f"{base}/v1/u/{handle.name}")
        if answer.status == 200:
            record = parse_record(answer.body, base, handle.server)
        elif error_slug(answer) == "not_found":
            return None
        else:
            finger = await self._lookup_webfinger(base, handle)
            if finger is None:
                return None
            record = finger
        if record.handle != handle:
            raise lied(f"asked for {handle}, it answers about {record.handle}")
        return record

    async def _lookup_webfinger(self, base: str, handle: Handle) -> HandleRecord | None:
        subject = f"acct:{handle}"
        answer = await self._get(f"{base}/.well-known/webfinger?resource={subject}")
        if answer.status != 200:
            return None
        href = parse_jrd(answer.body, base, subject)
        if href is None:
            raise lied("WebFinger knows the handle and names no signed registration")
        answer = await self._get(href)
        if answer.status != 200:
            raise lied(f"the record that WebFinger names is not there (status {answer.status})")
        return parse_record(answer.body, href, handle.server)

    async def lookup_primary(self, server: str, primary: PublicKey) -> HandleRecord | None:
        """The record of a key at one server, or of the identity whose chain it is said to sign now."""
        base = self._base(server)
        answer = await self._get(f"{base}/v1/by-primary/{primary.primary}")
        if answer.status != 200:
            if error_slug(answer) == "not_found":
                return None
            raise lied(f"status {answer.status} to a look-up by primary")
        return parse_record(answer.body, base, server)

    async def register(self, server: str, registration: Envelope) -> HandleRecord:
        """Register; a repeat of the same bytes succeeds."""
        base = self._base(server)
        answer = await self._http.exchange(
            "POST", f"{base}/v1/register", max_bytes=ANSWER_BYTES, content=encode_envelope(registration)
        )
        if answer.status not in (200, 201):
            raise register_error(answer)
        record = parse_record(answer.body, base, server)
        if record.registration != registration:
            raise lied("it registered something else than it was sent")
        return record

    async def fetch_chain(
        self, sigchain_url: str, genesis: PublicKey, etag: str | None = None
    ) -> FetchedChain | None:
        """The chain's bytes."""
        self._check_chain_url(sigchain_url, genesis)
        if etag is not None and not _ETAG.fullmatch(etag):
            etag = None
        headers = {"If-None-Match": etag} if etag else {}
        answer = await self._http.exchange("GET", sigchain_url, max_bytes=MAX_CHAIN, headers=headers)
        match answer.status:
            case 200:
                tag = answer.headers.get("etag", "")
                # What cannot be sent back as a header would stop every later request.
                return FetchedChain(answer.body, tag if _ETAG.fullmatch(tag) else "")
            case 304 if etag:
                return None
            case 404:
                return FetchedChain(b"", "")
            case status:
                raise lied(f"status {status} to a request for a sigchain")

    async def find_by_proof(self, server: str, subject: Identifier) -> tuple[Handle, ...]:
        """Handles that want to be found by a subject."""
        answer = await self._get(f"{self._base(server)}/v1/by-proof?subject={quote(str(subject), safe='')}")
        if answer.status != 200:
            raise lied(f"status {answer.status} to a look-up by proof")
        return parse_found(answer.body, server)

    async def put_profile(self, server: str, handle: Handle, profile: Envelope) -> None:
        """Say what a handle wants to be found by."""
        answer = await self._http.exchange(
            "PUT",
            f"{self._base(server)}/v1/profile/{handle.name}/proofs",
            max_bytes=ANSWER_BYTES,
            content=encode_envelope(profile),
        )
        if answer.status != 200:
            raise profile_error(answer)

    async def append_event(self, sigchain_url: str, genesis: PublicKey, event: Event) -> Head:
        """Upload one event; identical repeats succeed."""
        self._check_chain_url(sigchain_url, genesis)
        answer = await self._http.exchange(
            "POST", f"{sigchain_url}/events", max_bytes=ANSWER_BYTES, content=event.encoded
        )
        if answer.status not in (200, 201):
            raise append_error(answer)
        return parse_appended(answer.body, event)

    def _check_chain_url(self, sigchain_url: str, genesis: PublicKey) -> None:
        if not chain_of(sigchain_url, genesis):
            raise RequestError(Slug.INVALID_ARGUMENT, "that is not the address of this key's sigchain")

    def _base(self, server: str) -> str:
        return self._own.get(server) or self._base_url(server).rstrip("/")

    async def _get(self, url: str) -> Answer:
        return await self._http.exchange("GET", url, max_bytes=ANSWER_BYTES)
