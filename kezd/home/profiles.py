"""What people want to be found by: taking the signed list, looking people up by it, and their page.

Hints, never authority: nothing here says that a claim is true, and the page says how to check. Invariants: a
profile is taken only from the handle's own key or the one that its chain was rotated to, and only newer than
the one that is there; nothing of a person reaches the page unescaped, and the page runs no script.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.routing import Route
from starlette.types import Receive, Scope

from kezd.home.errors import HttpError, Slug
from kezd.home.gate import Network
from kezd.home.http_wire import CORS, Endpoint, Reply, client_address, json_reply, path_param, read_body
from kezd.home.metrics import Metrics
from kezd.home.profile_page import PAGE_HEADERS, render_page
from kezd.home.rate_limit import RateLimit
from kezd.home.store.ports import ProfileStore, Record, RegistryStore, SigchainStore, StoredProfile
from kezd.kez.envelope import decode_envelope, encode_envelope
from kezd.kez.errors import HandleError, IdentifierError, KezError
from kezd.kez.handles import parse_handle
from kezd.kez.identifiers import parse_identifier
from kezd.kez.keys import PublicKey
from kezd.kez.profile import Profile, verify_profile
from kezd.kez.registration import FRESHNESS
from kezd.runtime.clock import Clock

FOUND = 16
"""Handles that one look-up by subject returns at most."""
HTML = b"text/html; charset=utf-8"


class Profiles:
    """The handlers; `routes` is the table.

    Args:
        registry: who has which handle.
        profiles: what they want to be found by.
        sigchains: tells what a key was rotated to; None where another server keeps the chains.
        server: name of this server.
        url: that others reach it by.
        rate_limit: of what is written, for each address.
        trusted_proxies: whose X-Forwarded-For counts.
        clock: a profile's date must be near it.
        metrics: counted.
    """

    def __init__(
        self,
        registry: RegistryStore,
        profiles: ProfileStore,
        sigchains: SigchainStore | None,
        server: str,
        url: str,
        rate_limit: RateLimit,
        trusted_proxies: Sequence[Network],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._profiles = profiles
        self._sigchains = sigchains
        self._server = server
        self._url = url
        self._rate_limit = rate_limit
        self._trusted_proxies = trusted_proxies
        self._clock = clock
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """Taking, finding, showing."""
        table = (
            ("/v1/profile/{handle}/proofs", "PUT", self.put),
            ("/v1/by-proof", "GET", self.by_proof),
            ("/u/{handle}", "GET", self.page),
        )
        return [
            Route(path, Endpoint(path, handler, self._metrics, CORS), methods=[method])
            for path, method, handler in table
        ]

    async def put(self, scope: Scope, receive: Receive) -> Reply:
        """The signed list: 200 with what counts now, 400, 404, 409 when a newer one is here."""
        self._rate_limit.take(client_address(scope, self._trusted_proxies))
        record = await self._record(scope)
        try:
            envelope = decode_envelope(await read_body(scope, receive))
            profile = verify_profile(envelope, server=self._server)
        except KezError as error:
            if isinstance(error, HttpError):
                raise
            raise _bad(
                Slug.BAD_SIGNATURE if error.slug == "bad_signature" else Slug.BAD_REQUEST, str(error)
            ) from error
        await self._check(profile, record)
        stored = StoredProfile(
            encode_envelope(envelope), profile.created_at, tuple(map(str, profile.subjects))
        )
        if not await self._profiles.put(record.handle, stored):
            raise HttpError(
                409, Slug.CONFLICT, "a newer profile is here", "look it up, then sign one that is newer"
            )
        return json_reply(200, {"handle": record.handle, "proofs": stored.subjects})

    async def _check(self, profile: Profile, record: Record) -> None:
        if profile.handle.name != record.handle:
            raise _bad(Slug.BAD_REQUEST, f"the profile is of {profile.handle.name}")
        if profile.key.raw != await self._current(record):
            raise _bad(Slug.BAD_SIGNATURE, "the profile is not signed by this handle's current key")
        if abs(self._clock.now() - profile.created_at) > FRESHNESS:
            raise HttpError(
                400, Slug.STALE_DATE, f"created_at is more than {FRESHNESS} seconds off this server's clock",
                "check this machine's clock, then sign again",
            )  # fmt: skip

    async def _current(self, record: Record) -> bytes:
        current = await self._sigchains.current_of(record.primary) if self._sigchains is not None else None
        return current or record.primary

    async def by_proof(self, scope: Scope, _receive: Receive) -> Reply:
        """`?subject=github:alice` → `{items: [{handle, fqhn}]}`, at most 16; everybody may claim anything."""
        try:
            query = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=8)
            (text,) = [value for name, value in query if name == "subject"]
            subject = parse_identifier(text)
        except (ValueError, IdentifierError) as error:
            hint = "?subject=github:alice"
            raise HttpError(400, Slug.BAD_REQUEST, "subject must be one identifier", hint) from error
        handles = await self._profiles.by_subject(str(subject), FOUND)
        return json_reply(
            200, {"items": [{"handle": one, "fqhn": f"{one}@{self._server}"} for one in handles]}
        )

    async def page(self, scope: Scope, _receive: Receive) -> Reply:
        """A page for people: handle, key, claims, and how to check them."""
        record = await self._record(scope)
        profile = await self._profiles.get(record.handle)
        subjects = () if profile is None else profile.subjects
        current = PublicKey(await self._current(record))
        page = render_page(record.handle, self._server, self._url, current, subjects)
        return Reply(200, page.encode(), HTML, PAGE_HEADERS)

    async def _record(self, scope: Scope) -> Record:
        try:
            handle = parse_handle(path_param(scope, "handle"), self._server)
        except HandleError as error:
            raise _nobody() from error
        record = await self._registry.by_handle(handle.name) if handle.server == self._server else None
        if record is None:
            raise _nobody()
        return record


def _bad(slug: Slug, message: str) -> HttpError:
    return HttpError(400, slug, message, "send one signed profile as JSON")


def _nobody() -> HttpError:
    return HttpError(404, Slug.NOT_FOUND, "nobody has that here", "check the spelling")
