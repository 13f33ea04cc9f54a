"""Fetching a stranger's page: what is refused, what is followed, what is capped."""

import ssl

import pytest
import trio

from kezd.net.fetch import page as rules
from kezd.net.fetch.page import FetchError, RateLimitedError, RefusedUrlError, TooLargeError


async def test_a_page(web):
    web.put("example.com", "/a?b=c", "hello ü", 200, ("X-Thing", "1"), ("Set-Cookie", "a=b"))
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            page = await fetcher.get(web.url("example.com", "/a?b=c"), accept="text/plain")
            await fetcher.get(web.url("example.com", "/a?b=c"))
    assert (page.status, page.text, page.headers["x-thing"]) == (200, "hello ü", "1")
    assert "cookie" not in web.requests[1]
    assert web.requests[0]["accept"] == "text/plain"
    assert web.requests[0]["accept-encoding"] == "identity"
    assert web.requests[0]["host"].startswith("example.com")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fe80::1%eth0",
        "::1",
        "64:ff9b::7f00:1",
        "fd00::1",
        "0.0.0.0",
    ],
)
async def test_names_that_lead_inside(web, address):
    web.put("evil.example", "/", "secret")
    for names in ([address], ["1.1.1.1", address], [address, "1.1.1.1"]):
        web.names["evil.example"] = names
        with trio.fail_after(10):
            async with web.fetcher(allowed=()) as fetcher:
                with pytest.raises(RefusedUrlError, match="not public"):
                    await fetcher.get(web.url("evil.example", "/"))
    assert web.requests == []


async def test_addresses_in_the_url_itself(web):
    with trio.fail_after(10):
        async with web.fetcher(allowed=()) as fetcher:
            for host in ("127.0.0.1", "0x7f.1", "2130706433"):
                web.names[host] = ["127.0.0.1"]
                with pytest.raises(RefusedUrlError):
                    await fetcher.get(web.url(host, "/"))


async def test_a_name_that_leads_elsewhere_the_second_time(web):
    """Rebinding: what was judged is what is connected to; nothing is resolved between the two."""
    web.put("evil.example", "/", "fine")
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def rebinding(host, port):
        await trio.lowlevel.checkpoint()
        web.asked.append(host)
        return answers[min(len(web.asked), 2) - 1]

    web.resolve = rebinding
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            assert (await fetcher.get(web.url("evil.example", "/"))).text == "fine"
            assert web.asked == ["evil.example"]
            with pytest.raises(RefusedUrlError):
                await fetcher.get(web.url("evil.example", "/"))


async def test_redirects_are_followed_and_judged_anew(web):
    web.put("example.com", "/1", "", 302, ("Location", "/2"))
    web.put("example.com", "/2", "", 301, ("Location", web.url("other.example", "/3")))
    web.put("other.example", "/3", "here")
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            page = await fetcher.get(web.url("example.com", "/1"), headers={"Authorization": "token x"})
    assert (page.text, page.url) == ("here", web.url("other.example", "/3"))
    assert [request.get("authorization") for request in web.requests] == ["token x", "token x", None]


@pytest.mark.parametrize(
    "target",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://user@example.com/",
        "https://[::1]/", "https://exa mple.com/", "javascript:alert(1)", "https://example.com:0/",
        "https://example.com:99999/", "//evil.example", "https://ex\u00e4mple.com/", "https://" + "a" * 3000,
    ],
)  # fmt: skip
async def test_redirects_that_are_not_followed(web, target):
    web.put("example.com", "/", "", 302, ("Location", target.encode().decode("latin-1")))
    web.names["evil.example"] = ["10.0.0.1"]
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError):
                await fetcher.get(web.url("example.com", "/"))
    assert len(web.requests) == 1


async def test_redirects_without_end(web):
    web.put("example.com", "/", "", 302, ("Location", "/"))
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError, match="more than 3 times"):
                await fetcher.get(web.url("example.com", "/"))
    assert len(web.requests) == 4


async def test_too_large_said_or_not(web):
    web.put("example.com", "/big", b"x" * (rules.MAX_BYTES + 1))
    web.put("example.com", "/fits", b"x" * rules.MAX_BYTES)
    with trio.fail_after(20):
        async with web.fetcher() as fetcher:
            with pytest.raises(TooLargeError):
                await fetcher.get(web.url("example.com", "/big"))
            assert len((await fetcher.get(web.url("example.com", "/fits"))).body) == rules.MAX_BYTES


async def test_compression_that_nobody_asked_for(web):
    web.put("example.com", "/", b"\x1f\x8b", 200, ("Content-Encoding", "gzip"))
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError, match="compresses"):
                await fetcher.get(web.url("example.com", "/"))


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, [("Retry-After", "7")], 7), (429, [], 60), (429, [("Retry-After", "9" * 5000)], 3600),
        (429, [("Retry-After", "99999")], 3600), (429, [("Retry-After", "0")], 1), (429, [("Retry-After", "²")], 60),
        (403, [("X-RateLimit-Remaining", "0"), ("Retry-After", "30")], 30),
    ],
)  # fmt: skip
async def test_later(web, status, headers, seconds):
    web.put("example.com", "/", "", status, *[(n, v.encode().decode("latin-1")) for n, v in headers])
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            with pytest.raises(RateLimitedError) as caught:
                await fetcher.get(web.url("example.com", "/"))
    assert caught.value.retry_after == seconds


async def test_what_could_not_be_fetched_and_what_is_not_there(web):
    web.put("example.com", "/down", "", 503)
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            for url in (
                web.url("example.com", "/down"),
                "https://nowhere.example/",
                "https://example.com:1/",
            ):
                with pytest.raises(FetchError):
                    await fetcher.get(url)
            assert (await fetcher.get(web.url("example.com", "/missing"))).status == 404


async def test_a_certificate_of_somebody_else(web):
    web.names["stranger.example"] = ["127.0.0.1"]
    with trio.fail_after(10):
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError):
                await fetcher.get(web.url("stranger.example", "/"))
        web.client_tls = ssl.create_default_context
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError):
                await fetcher.get(web.url("example.com", "/"))


async def test_a_server_that_never_ends(web):
    async def slow(stream):
        with trio.move_on_after(60):
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            await trio.sleep_forever()

    web.serve = slow
    web.names["example.com"] = ["127.0.0.1"]
    with trio.fail_after(20):
        async with web.fetcher() as fetcher:
            with pytest.raises(FetchError, match="took longer"):
                await fetcher.get(web.url("example.com", "/"))


async def test_a_host_of_the_persons_own_configuration(web):
    web.put("example.com", "/", "mine")
    with trio.fail_after(10):
        async with web.fetcher(allowed=(), trusted=frozenset({"example.com"})) as fetcher:
            assert (await fetcher.get(web.url("example.com", "/"))).text == "mine"
            web.put("other.example", "/", "not mine")
            with pytest.raises(RefusedUrlError):
                await fetcher.get(web.url("other.example", "/"))
