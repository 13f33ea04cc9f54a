"""The home client against a server that says anything: typed errors, bounded time and memory."""

import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.errors import KezdError, Slug, TrustError
from kezd.kez.handles import Handle
from kezd.net.home import HomeClient
from kezd.net.home.answers import parse_info, parse_jrd, parse_record
from kezd.net.home.http import may_point_to
from kezd.testing.hostile_home import HostileHome, Page, Person
from kezd.testing.ports import free_port

TEST_SECONDS = 30
BOB = Person(2).with_inbox()
BOBBY = Handle("bobby", "evil.test")


@asynccontextmanager
async def asking(seconds: float = 5.0) -> AsyncIterator[tuple[HomeClient, HostileHome]]:
    async with (
        HostileHome.open("evil.test") as home,
        HomeClient.open(lambda _server: home.url, version="test", seconds=seconds) as client,
    ):
        yield client, home


async def slug(call: Callable[..., Awaitable[Any]], *args: Any) -> Slug:
    with pytest.raises(KezdError) as caught:
        await call(*args)
    return caught.value.slug


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (Page(200, b"x" * 200_000), Slug.HOME_LIED),
        (Page(200, b"not json"), Slug.HOME_LIED),
        (Page(200, b"[]"), Slug.HOME_LIED),
        (Page(200, b"{}"), Slug.HOME_LIED),
        (Page(200, b'{"a":' * 40_000), Slug.HOME_LIED),
        (Page(200, b'{"handle":1.5}'), Slug.HOME_LIED),
        (Page(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}), Slug.HOME_LIED),
        (Page(302, b"", {"Location": "https://elsewhere.example/"}), Slug.HOME_REFUSED),
        (Page(500, b"{}"), Slug.HOME_UNREACHABLE),
        (Page(429, b"{}", {"Retry-After": "7"}), Slug.RATE_LIMITED),
    ],
)
async def test_strange_answers_have_names(page: Page, expected: Slug) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            home.pages["/v1/u/bobby"] = page
            assert await slug(client.lookup, BOBBY) is expected
            assert "elsewhere" not in "".join(home.asked)


async def test_how_long_to_wait_is_told_and_bounded() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            for said, wait in (
                ("7", 7_000),
                ("999999999", 3_600_000),
                ("9" * 5_000, 3_600_000),
                ("soon", 1_000),
            ):
                home.pages["/v1/u/bobby"] = Page(429, b"{}", {"Retry-After": said})
                with pytest.raises(KezdError) as caught:
                    await client.lookup(BOBBY)
                assert caught.value.retry_after_ms == wait


async def test_nobody_answers_or_not_in_time() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking(seconds=0.2) as (client, home):
            home.hang = True
            assert await slug(client.lookup, BOBBY) is Slug.HOME_UNREACHABLE
            assert await slug(client.info_at, f"http://127.0.0.1:{free_port()}") is Slug.HOME_UNREACHABLE
            for url in (
                "http://example.org",
                "ftp://x",
                "https://u:p@x.example",
                "https://x.example/?a",
                "nonsense",
            ):
                assert await slug(client.info_at, url) is Slug.INVALID_ARGUMENT


async def test_a_chain_longer_than_agreed_is_cut_off() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            home.pages[home.chain_path(BOB)] = Page(200, b"x" * (16 * 1024 * 1024 + 1))
            assert (
                await slug(client.fetch_chain, home.url + home.chain_path(BOB), BOB.genesis) is Slug.HOME_LIED
            )
            other = home.url + home.chain_path(Person(3))
            assert await slug(client.fetch_chain, other, BOB.genesis) is Slug.INVALID_ARGUMENT


async def test_webfinger_where_there_is_no_api() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            finger = "/.well-known/webfinger?resource=acct:bobby@evil.test"
            rel = "https://kez.lat/rel/record"
            home.pages["/v1/u/bobby"] = Page(404, b"<html>no such page")
            assert await client.lookup(BOBBY) is None
            home.says("/somewhere", home.record(BOB, "bobby"))
            jrd = {
                "subject": "acct:bobby@evil.test",
                "links": [{"rel": rel, "href": home.url + "/somewhere"}],
            }
            home.says(finger, jrd)
            found = await client.lookup(BOBBY)
            assert found is not None
            assert (found.primary, found.handle) == (BOB.genesis, BOBBY)
            home.says("/somewhere", home.record(BOB, "other"))
            assert await slug(client.lookup, BOBBY) is Slug.HOME_LIED
            for lie in (
                {"subject": "acct:carol@evil.test", "links": jrd["links"]},
                {
                    "subject": "acct:bobby@evil.test",
                    "links": [],
                    "properties": {"primary": BOB.genesis.primary},
                },
                {"subject": "acct:bobby@evil.test", "links": [{"rel": rel, "href": "http://evil.test/x"}]},
                {"subject": "acct:bobby@evil.test", "links": [{"rel": rel, "href": home.url + "/gone"}]},
                {"subject": "acct:bobby@evil.test", "links": "none"},
            ):
                home.says(finger, lie)
                assert await slug(client.lookup, BOBBY) is Slug.HOME_LIED
            # An honest "nobody" of the API is not asked about twice.
            del home.pages["/v1/u/bobby"]
            home.asked.clear()
            assert await client.lookup(BOBBY) is None
            assert home.asked[finger] == 0


async def test_the_home_of_a_server_must_say_that_it_is() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            says = {
                "server": "evil.test",
                "version": "1",
                "nats_urls": [],
                "sigchain_url": home.url,
                "guests": True,
            }
            home.says("/v1/server", says)
            info = await client.info("evil.test")
            assert (info.server, info.nats_urls, info.guests) == ("evil.test", (), True)
            assert await slug(client.info, "kez.lat") is Slug.HOME_LIED
            for lie in (
                {"server": "not a name"},
                {"nats_urls": "nats://x"},
                {"nats_urls": ["nats://x"] * 100},
                {"sigchain_url": "http://elsewhere.example"},
                {"version": "x" * 1000},
            ):
                home.says("/v1/server", says | lie)
                assert await slug(client.info_at, home.url) is Slug.HOME_LIED
            home.pages["/v1/server"] = Page(404, b"")
            assert await slug(client.info_at, home.url) is Slug.HOME_LIED


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (409, {"error": "handle_taken"}, Slug.HANDLE_TAKEN),
        (409, {"error": "primary_taken"}, Slug.PRIMARY_TAKEN),
        (400, {"error": "bad_handle"}, Slug.INVALID_ARGUMENT),
        (400, {"error": "stale_date"}, Slug.HOME_REFUSED),
        (400, {"error": "\u001b[31mred"}, Slug.HOME_REFUSED),
        (403, {}, Slug.HOME_REFUSED),
        (200, {}, Slug.HOME_LIED),
    ],
)
async def test_refused_registrations(status: int, answer: dict[str, Any], expected: Slug) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            home.says("/v1/register", answer, status)
            with pytest.raises(KezdError) as caught:
                await client.register("evil.test", BOB.registration(BOBBY))
            assert caught.value.slug is expected
            assert "\x1b" not in caught.value.message
            home.says("/v1/register", home.record(Person(2), "robert"), 201)
            assert await slug(client.register, "evil.test", BOB.registration(BOBBY)) is Slug.HOME_LIED


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (409, {"error": "conflict", "head": {"seq": 3, "hash": "ab"}}, Slug.IDEMPOTENCY_CONFLICT),
        (409, {"error": "conflict", "head": {"seq": 0, "hash": None}}, Slug.IDEMPOTENCY_CONFLICT),
        (409, {"error": "conflict"}, Slug.HOME_LIED),
        (409, {"error": "conflict", "head": {"seq": True, "hash": 3}}, Slug.HOME_LIED),
        (400, {"error": "bad_signature"}, Slug.INVALID_ARGUMENT),
        (413, {"error": "too_large"}, Slug.INVALID_ARGUMENT),
        (401, {}, Slug.HOME_REFUSED),
        (201, {"seq": 9, "hash": "x"}, Slug.HOME_LIED),
    ],
)
async def test_refused_events(status: int, answer: dict[str, Any], expected: Slug) -> None:
    event = BOB.chain.events[0]
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            home.says(home.chain_path(BOB) + "/events", answer, status)
            assert (
                await slug(client.append_event, home.url + home.chain_path(BOB), BOB.genesis, event)
                is expected
            )


def test_a_stranger_cannot_point_at_this_machine() -> None:
    assert may_point_to("https://kez.lat", "https://chains.kez.lat/v1")
    assert may_point_to("http://127.0.0.1:1", "http://localhost:2/x")
    for url in (
        "http://127.0.0.1:22/x",
        "https://localhost/x",
        "https://[::1]/x",
        "http://chains.kez.lat/x",
        "file:///x",
    ):
        assert not may_point_to("https://kez.lat", url)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = [
    "handle",
    "fqhn",
    "primary",
    "sigchain_url",
    "registered_at",
    "registration",
    "server",
    "nats_urls",
    "links",
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=300)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(MEMBERS), json_values).map(lambda value: json.dumps(value).encode())
)
def test_no_answer_makes_the_parsers_fail_otherwise(body: bytes) -> None:
    base = "http://127.0.0.1:1"
    for parse in (
        lambda: parse_record(body, base, "evil.test"),
        lambda: parse_jrd(body, base, "acct:bobby@evil.test"),
        lambda: parse_info(body, base),
    ):
        with contextlib.suppress(TrustError):
            parse()


@pytest.mark.parametrize("tag", ['"\u00e9"', "\x7f", '"' + "a" * 500 + '"'])
async def test_a_tag_that_cannot_be_sent_back_is_not_kept(tag: str) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            path = home.chain_path(BOB)
            home.pages[path] = Page(200, b"", {"ETag": tag.encode("latin-1")})  # type: ignore[dict-item]
            fetched = await client.fetch_chain(home.url + path, BOB.genesis)
            assert fetched is not None
            assert fetched.etag == ""


async def test_a_tag_of_former_times_that_cannot_be_sent_back_is_not_sent() -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            home.shows_chain(BOB)
            fetched = await client.fetch_chain(home.url + home.chain_path(BOB), BOB.genesis, '"\u00e9"')
            assert fetched is not None


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "a..invalid", "xn--a.invalid", "xn--", "a" * 300])
async def test_a_name_that_cannot_be_resolved_is_no_answer(host: str) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with asking() as (client, home):
            url = f"https://{host}{home.chain_path(BOB)}"
            assert await slug(client.fetch_chain, url, BOB.genesis) is Slug.HOME_UNREACHABLE
            assert isinstance(may_point_to("https://kez.lat", url), bool)
