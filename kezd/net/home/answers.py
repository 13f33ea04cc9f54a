"""A home's JSON answers as values, or `home_lied`. Pure: no I/O.

What comes out has the agreed shape and belongs to the question; whether a registration is
true is checked by whoever trusts it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from kezd.errors import KezdError, RequestError, Slug, TrustError, UnavailableError
from kezd.kez.envelope import envelope_from_value
from kezd.kez.errors import KezError, shown
from kezd.kez.handles import Handle, parse_handle, parse_server_name
from kezd.kez.identifiers import parse_primary
from kezd.kez.jcs import parse_json
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Event, Head
from kezd.kez.timestamps import parse_timestamp
from kezd.net.home.http import Answer, may_point_to
from kezd.runtime.home_answers import HandleRecord, HomeInfo

ANSWER_BYTES = 128 * 1024
NATS_URLS = 16
FOUND = 64
TEXT = 512
REL_RECORD = "https://kez.lat/rel/record"


def lied(what: str) -> TrustError:
    """The error of an answer that is not what was agreed."""
    return TrustError(Slug.HOME_LIED, f"the home server's answer does not hold: {what}")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        TrustError: `home_lied`.
    """
    try:
        value = parse_json(body, max_bytes=ANSWER_BYTES)
    except KezError as error:
        raise lied(str(error)) from error
    if not isinstance(value, dict):
        raise lied("no JSON object")
    return value


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or len(text) > TEXT or not text.isprintable():
        raise lied(f"{name} is missing or no short text")
    return text


def parse_info(body: bytes, base: str) -> HomeInfo:
    """The answer of `GET /v1/server` at `base`."""
    value = parse_object(body)
    urls = value.get("nats_urls")
    if not isinstance(urls, list) or len(urls) > NATS_URLS or not all(isinstance(u, str) for u in urls):
        raise lied("nats_urls is no short list of texts")
    sigchain_url = _text(value, "sigchain_url")
    if not may_point_to(base, sigchain_url):
        raise lied("sigchain_url is not to be asked")
    try:
        server = parse_server_name(_text(value, "server"))
    except KezError as error:
        raise lied(str(error)) from error
    return HomeInfo(server, _text(value, "version"), tuple(urls), sigchain_url, value.get("guests") is True)


def parse_record(body: bytes, base: str, server: str) -> HandleRecord:
    """A record of a home named `server`, asked at `base`."""
    value = parse_object(body)
    try:
        handle = parse_handle(_text(value, "fqhn"))
        primary = parse_primary(value.get("primary"))
        registered_at = parse_timestamp(value.get("registered_at"))
        registration = envelope_from_value(value.get("registration"))
    except KezError as error:
        raise lied(str(error)) from error
    if handle.server != server:
        raise lied(f"the record is of {shown(str(handle))}, not of a handle at {server}")
    sigchain_url = _text(value, "sigchain_url")
    if not may_point_to(base, sigchain_url) or not chain_of(sigchain_url, primary):
        raise lied("sigchain_url is not the address of this key's chain")
    return HandleRecord(handle, primary, sigchain_url, registered_at, registration)


def chain_of(sigchain_url: str, genesis: PublicKey) -> bool:
    """Whether the URL is the address of that key's chain."""
    alg, _, key = genesis.primary.partition(":")
    return urlsplit(sigchain_url).path.endswith(f"/v1/sigchains/{alg}/{key}")


def parse_jrd(body: bytes, base: str, subject: str) -> str | None:
    """The URL of the record in a WebFinger answer (RFC 7033), None when it names none.

    Raises:
        TrustError: `home_lied` when it is about somebody else, or points where it must not.
    """
    value = parse_object(body)
    if value.get("subject") != subject:
        raise lied("the WebFinger answer is about somebody else")
    links = value.get("links", [])
    if not isinstance(links, list):
        raise lied("links is no list")
    for link in links:
        if isinstance(link, dict) and link.get("rel") == REL_RECORD:
            href = _text(link, "href")
            if not may_point_to(base, href):
                raise lied("the record's link is not to be followed")
            return href
    return None


def error_slug(answer: Answer) -> str | None:
    """The slug of an error answer in the agreed form, else None."""
    try:
        slug = parse_object(answer.body).get("error")
    except TrustError:
        return None
    return slug if isinstance(slug, str) else None


_REGISTER_ERRORS: Mapping[str, Slug] = {
    "handle_taken": Slug.HANDLE_TAKEN,
    "primary_taken": Slug.PRIMARY_TAKEN,
    "bad_handle": Slug.INVALID_ARGUMENT,
    "server_mismatch": Slug.INVALID_ARGUMENT,
}


def register_error(answer: Answer) -> KezdError:
    """What a refused registration means."""
    slug = error_slug(answer)
    known = _REGISTER_ERRORS.get(slug or "")
    if known is Slug.INVALID_ARGUMENT:
        return RequestError(known, "the home server does not take this handle")
    if known is not None:
        return RequestError(known)
    if slug == "stale_date":
        return UnavailableError(
            Slug.HOME_REFUSED,
            "the home server says that the registration's date is off by over 5 minutes",
            hint="set this machine's clock",
            detail={"reason": slug},
        )
    return _refused(answer, slug)


def append_error(answer: Answer) -> KezdError:
    """What a refused sigchain event means."""
    slug = error_slug(answer)
    if answer.status == 409:
        head = parse_object(answer.body).get("head")
        seq, hash_ = (head.get("seq"), head.get("hash")) if isinstance(head, dict) else (None, None)
        if type(seq) is not int or seq < 0 or not (hash_ is None or isinstance(hash_, str)):
            return lied("a conflict without the head")
        return RequestError(
            Slug.IDEMPOTENCY_CONFLICT,
            "the sigchain has gone on elsewhere",
            detail={"head": {"seq": seq, "hash": hash_}},
        )
    if answer.status in (400, 413):
        return RequestError(
            Slug.INVALID_ARGUMENT, f"the sigchain server does not take the event ({shown(slug)})"
        )
    return _refused(answer, slug)


def _refused(answer: Answer, slug: str | None) -> UnavailableError:
    return UnavailableError(
        Slug.HOME_REFUSED,
        f"the server refused with status {answer.status} ({shown(slug)})",
        detail={"reason": slug or "unknown"},
    )


def parse_appended(body: bytes, event: Event) -> Head:
    """The head after an upload, which must be that event."""
    value = parse_object(body)
    head = Head(event.seq, event.hash)
    if (value.get("seq"), value.get("hash")) != (head.seq, head.hash):
        raise lied("it confirms another event than was sent")
    return head


def parse_found(body: bytes, server: str) -> tuple[Handle, ...]:
    """The handles of a look-up by proof, each of that server."""
    items = parse_object(body).get("items")
    if not isinstance(items, list) or len(items) > FOUND:
        raise lied("items is no short list")
    try:
        handles = tuple(parse_handle(_text(item, "fqhn")) for item in items if isinstance(item, dict))
    except KezError as error:
        raise lied(str(error)) from error
    if any(handle.server != server for handle in handles):
        raise lied(f"it finds handles that are not at {server}")
    return handles


def profile_error(answer: Answer) -> KezdError:
    """What a refused list of proofs means."""
    if answer.status == 409:
        return RequestError(Slug.IDEMPOTENCY_CONFLICT, "the home server has a newer list of proofs")
    slug = error_slug(answer)
    if answer.status == 400 and slug != "stale_date":
        return RequestError(
            Slug.INVALID_ARGUMENT, f"the home server does not take the list of proofs ({shown(slug)})"
        )
    return _refused(answer, slug)
