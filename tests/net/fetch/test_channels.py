"""The six channels against servers that answer as the real services do, on loopback."""

import json
from functools import partial

import pytest
import trio
from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord

from kezd.kez.claims import claim_payload
from kezd.kez.identifiers import parse_identifier
from kezd.kez.keys import Seed
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.proofs import encode_compact, encode_json, encode_markdown, encode_txt
from kezd.kez.signing import Signer
from kezd.kez.verification import Status, judge
from kezd.net.fetch.ap import ActivityPubChannel
from kezd.net.fetch.bluesky import BlueskyChannel
from kezd.net.fetch.dns import DnsChannel
from kezd.net.fetch.github import GitHubChannel
from kezd.net.fetch.nostr import NostrChannel
from kezd.net.fetch.page import FetchError, RateLimitedError
from kezd.net.fetch.web import WebChannel

NOW = 1_767_225_600
ALICE = Signer(Seed(b"\x0a" * 32))
NPUB_OWNER = NostrSigner(NostrSecret(b"\x07" * 32))
STRANGER = NostrSigner(NostrSecret(b"\x08" * 32))


def claim(subject):
    return ALICE.claim(claim_payload(ALICE.public, subject, NOW))


async def status_of(channel, subject):
    identifier = parse_identifier(subject)
    with trio.fail_after(20):
        places = await channel.look(identifier)
    return judge(identifier, ALICE.public.primary, places, NOW + 1).status


# --- web


async def test_web(web):
    async with web.fetcher() as fetcher:
        channel = WebChannel(fetcher, web.url("{domain}", ""))
        web.names["example.com"] = ["127.0.0.1"]
        assert await status_of(channel, "web:example.com") is Status.NOT_FOUND
        web.put("example.com", "/.well-known/kez.json", encode_json(claim("web:example.com")))
        assert await status_of(channel, "web:example.com") is Status.VALID
        web.put("example.com", "/.well-known/kez.json", "", 503)
        with pytest.raises(FetchError):
            await status_of(channel, "web:example.com")


# --- github


def gist(user, number, **files):
    """As the REST API lists one (docs: "List gists for a user"), without what nobody reads."""
    return {
        "id": f"{number:032x}",
        "public": True,
        "owner": {"login": user, "id": 1, "type": "User"},
        "files": {
            name: {"filename": name, "type": "text/plain", "language": None, "raw_url": url, "size": 500}
            for name, url in files.items()
        },
    }


@pytest.fixture
def github(web):
    def open_channel(fetcher, token=""):
        return GitHubChannel(fetcher, web.url("api.github.test", ""), web.url("other.example", ""), token)

    web.names["api.github.test"] = web.names["other.example"] = ["127.0.0.1"]
    return open_channel


GISTS = "/users/alice/gists?per_page=100"


async def test_a_gist(web, github):
    raw = web.url("other.example", "/alice/1/raw/kez.md")
    others = {f"note{n}.txt": web.url("other.example", f"/note{n}") for n in range(20)}
    listing = [
        gist("Alice", 1, **others),
        gist("Alice", 2, **{"kez.md": raw}),
        gist("mallory", 3, **{"kez.md": raw + "x"}),
    ]
    web.put("api.github.test", GISTS, json.dumps(listing))
    web.put("other.example", "/alice/1/raw/kez.md", encode_markdown(claim("github:alice")))
    web.put("other.example", "/alice/1/raw/kez.mdx", "mallory's")
    async with web.fetcher() as fetcher:
        assert await status_of(github(fetcher, "secret"), "github:alice") is Status.VALID
    hosts = [(r["host"].partition(":")[0], r.get("authorization")) for r in web.requests]
    assert hosts[0] == ("api.github.test", "Bearer secret")
    assert {token for host, token in hosts if host != "api.github.test"} == {None}
    assert len(web.requests) <= 1 + 8 + 1


async def test_the_readme(web, github):
    web.put("api.github.test", GISTS, "[]")
    web.put(
        "other.example", "/alice/alice/HEAD/README.md", f"# Hi\n\n{encode_markdown(claim('github:alice'))}"
    )
    async with web.fetcher() as fetcher:
        assert await status_of(github(fetcher), "github:alice") is Status.VALID
        web.put("api.github.test", GISTS, '{"message": "Not Found"}', 404)
        web.put("other.example", "/alice/alice/HEAD/README.md", "", 404)
        assert await status_of(github(fetcher), "github:alice") is Status.NOT_FOUND


async def test_github_wants_to_be_asked_later(web, github):
    web.put(
        "api.github.test",
        GISTS,
        '{"message": "API rate limit exceeded"}',
        403,
        ("X-RateLimit-Remaining", "0"),
    )
    async with web.fetcher() as fetcher:
        with pytest.raises(RateLimitedError):
            await status_of(github(fetcher), "github:alice")
        web.put("api.github.test", GISTS, "", 401)
        with pytest.raises(FetchError):
            await status_of(github(fetcher), "github:alice")


STRANGE = [
    "{}",
    "null",
    "[1]",
    "[[[[",
    '[{"owner": 1, "files": 2}]',
    '[{"owner":{"login":"alice"},"files":{"a":1}}]',
    '"x"',
]


@pytest.mark.parametrize("body", STRANGE)
async def test_strange_answers_of_github(web, github, body):
    web.put("api.github.test", GISTS, body)
    async with web.fetcher() as fetcher:
        try:
            assert await status_of(github(fetcher), "github:alice") is Status.NOT_FOUND
        except FetchError:
            assert body == "[[[["


# --- bluesky

PROFILE = "/xrpc/app.bsky.actor.getProfile?actor=alice.example"
FEED = "/xrpc/app.bsky.feed.getAuthorFeed?actor=alice.example&limit=50&filter=posts_and_author_threads"


def post(handle, text, **record):
    return {"post": {"uri": "at://did:plc:x/app.bsky.feed.post/1", "author": {"did": "did:plc:x", "handle": handle},
                     "record": {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-01-01T00:00:00Z", **record}}}  # fmt: skip


async def test_bluesky(web):
    subject = "bluesky:alice.example"
    proof = encode_compact(claim(subject))
    external = {
        "$type": "app.bsky.embed.external",
        "external": {"uri": "https://x", "title": "KEZ", "description": proof},
    }
    async with web.fetcher() as fetcher:
        channel = BlueskyChannel(fetcher, web.url("example.com", ""))
        web.put("example.com", PROFILE, '{"error":"InvalidRequest","message":"Profile not found"}', 400)
        assert await status_of(channel, subject) is Status.NOT_FOUND
        web.put("example.com", PROFILE, json.dumps({"did": "did:plc:x", "handle": "alice.example"}))
        web.put("example.com", FEED, json.dumps({"feed": [post("mallory.example", proof)]}))
        assert await status_of(channel, subject) is Status.NOT_FOUND, "a repost is somebody else's"
        web.put(
            "example.com", FEED, json.dumps({"feed": [post("alice.example", "see below", embed=external)]})
        )
        assert await status_of(channel, subject) is Status.VALID
        web.put("example.com", FEED, json.dumps({"feed": []}))
        web.put(
            "example.com", PROFILE, json.dumps({"handle": "alice.example", "description": f"me\n{proof}"})
        )
        assert await status_of(channel, subject) is Status.VALID
        web.put("example.com", PROFILE, "", 502)
        with pytest.raises(FetchError):
            await status_of(channel, subject)
        for strange in (
            "[]",
            "<html>",
            '{"handle": 7}',
            '{"handle": "alice.example", "description": {"a": 1}}',
        ):
            web.put("example.com", PROFILE, strange)
            web.put("example.com", FEED, '{"feed": {"a": [1]}}')
            try:
                assert await status_of(channel, subject) is Status.NOT_FOUND
            except FetchError:
                assert strange in ("[]", "<html>")


# --- ActivityPub

FINGER = "/.well-known/webfinger?resource=acct%3Aalice%40example.com"


def actor(web, **more):
    me = web.url("example.com", "/users/alice")
    return {"@context": "https://www.w3.org/ns/activitystreams", "id": me, "type": "Person",
            "preferredUsername": "Alice", "summary": "<p>hello</p>", "outbox": f"{me}/outbox", **more}  # fmt: skip


def put_actor(web, **more):
    href = web.url("example.com", "/users/alice")
    links = [
        {"rel": "self", "type": "text/html", "href": "https://wrong"},
        {"rel": "self", "type": "application/activity+json", "href": href},
    ]
    web.put("example.com", FINGER, json.dumps({"subject": "acct:alice@example.com", "links": links}))
    web.put("example.com", "/users/alice", json.dumps(actor(web, **more)))


async def test_activitypub(web):
    subject = "ap:alice@example.com"
    proof = encode_compact(claim(subject))
    async with web.fetcher() as fetcher:
        channel = ActivityPubChannel(fetcher, web.url("{host}", ""))
        web.put("example.com", FINGER, "", 404)
        assert await status_of(channel, subject) is Status.NOT_FOUND
        put_actor(web)
        assert await status_of(channel, subject) is Status.NOT_FOUND
        put_actor(web, summary=f"<p>my keys:<br>{proof}</p>")
        assert await status_of(channel, subject) is Status.VALID
        put_actor(
            web, attachment=[{"type": "PropertyValue", "name": "KEZ", "value": f"<span>{proof}</span>"}]
        )
        assert await status_of(channel, subject) is Status.VALID
        put_actor(web, preferredUsername="mallory", summary=proof)
        with pytest.raises(FetchError):
            await status_of(channel, subject)


async def test_a_post_and_a_boost(web):
    subject = "ap:alice@example.com"
    proof = encode_compact(claim(subject))
    me, box = web.url("example.com", "/users/alice"), web.url("example.com", "/users/alice/outbox")
    put_actor(web)
    web.put(
        "example.com",
        "/users/alice/outbox",
        json.dumps({"type": "OrderedCollection", "first": f"{box}?page=true"}),
    )

    def items(*notes):
        web.put("example.com", "/users/alice/outbox?page=true", json.dumps({"orderedItems": list(notes)}))

    note = {"id": f"{me}/1", "type": "Note", "attributedTo": me, "content": f"<p>{proof}</p>"}
    async with web.fetcher() as fetcher:
        channel = ActivityPubChannel(fetcher, web.url("{host}", ""))
        items(
            {"type": "Announce", "object": note},
            {"type": "Create", "object": note | {"attributedTo": "https://other"}},
            7,
        )
        assert await status_of(channel, subject) is Status.NOT_FOUND
        items({"type": "Create", "object": note})
        assert await status_of(channel, subject) is Status.VALID


# --- dns


class Names:
    """A DNS server on a loopback port, answering over UDP, and over TCP what is too long for that."""

    def __init__(self):
        self.records = {}
        self.rcode = RCODE.NOERROR
        self.port = 0

    def reply(self, data, *, udp):
        query = DNSRecord.parse(data)
        answer = query.reply()
        name = str(query.q.qname).rstrip(".")
        if self.rcode != RCODE.NOERROR:
            answer.header.rcode = self.rcode
        elif name not in self.records:
            answer.header.rcode = RCODE.NXDOMAIN
        for strings in self.records.get(name, []):
            answer.add_answer(RR(query.q.qname, QTYPE.TXT, rdata=TXT(list(strings)), ttl=1))
        packed = answer.pack()
        if udp and len(packed) > 512:
            cut = query.reply()
            cut.header.tc = 1
            return cut.pack()
        return packed

    async def tcp(self, stream):
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            more = await stream.receive_some(4096)
            if not more:
                return
            data += more
        packed = self.reply(data[2:], udp=False)
        await stream.send_all(len(packed).to_bytes(2, "big") + packed)

    async def udp(self, sock):
        while True:
            data, address = await sock.recvfrom(4096)
            await sock.sendto(self.reply(data, udp=True), address)


@pytest.fixture
async def names():
    server = Names()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), server.tcp, 0)
        server.port = listeners[0].socket.getsockname()[1]
        sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await sock.bind(("127.0.0.1", server.port))
        nursery.start_soon(server.udp, sock)
        yield server
        nursery.cancel_scope.cancel()
        sock.close()


async def test_dns(names):
    channel = DnsChannel(["127.0.0.1"], names.port)
    assert await status_of(channel, "dns:example.com") is Status.NOT_FOUND
    names.records["_kez.example.com"] = []
    assert await status_of(channel, "dns:example.com") is Status.NOT_FOUND
    strings = encode_txt(claim("dns:example.com"))
    assert len(strings) > 1
    names.records["_kez.example.com"] = [["v=spf1 -all"], ["\xff\xfe"], strings]
    assert await status_of(channel, "dns:example.com") is Status.VALID
    names.records["_kez.example.com"] = [["x" * 250]] * 20 + [strings]
    assert await status_of(channel, "dns:example.com") is Status.VALID, "over TCP"
    for rcode in (RCODE.SERVFAIL, RCODE.REFUSED):
        names.rcode = rcode
        with pytest.raises(FetchError):
            await status_of(channel, "dns:example.com")


async def test_a_nameserver_that_is_not_there():
    with pytest.raises(FetchError):
        await status_of(DnsChannel(["127.0.0.1"], 1), "dns:example.com")


# --- nostr


async def test_nostr(relay):
    subject = NPUB_OWNER.public.primary
    proof = encode_compact(claim(subject))
    channel = NostrChannel([relay.url, "ws://127.0.0.1:1"])
    assert await status_of(channel, subject) is Status.NOT_FOUND
    for kind, content in (
        (1, f"hello {proof}"),
        (30078, proof),
        (0, json.dumps({"name": "a", "about": proof})),
    ):
        event = NPUB_OWNER.nostr_event(kind, (("d", "kez"),), content, NOW).to_value()
        relay.events = [event]
        assert await status_of(channel, subject) is Status.VALID, kind
    assert relay.requests[0]["authors"] == [NPUB_OWNER.public.raw.hex()]


async def test_events_that_do_not_count(relay):
    subject = NPUB_OWNER.public.primary
    proof = encode_compact(claim(subject))
    good = NPUB_OWNER.nostr_event(1, (), "hello", NOW).to_value()
    strangers = STRANGER.nostr_event(1, (), proof, NOW).to_value()
    other_kind = NPUB_OWNER.nostr_event(7, (), proof, NOW).to_value()
    relay.noise = [
        json.dumps(["EVENT", "kez", event]) for event in (good | {"content": proof}, strangers, other_kind)
    ]
    relay.noise += ["{}", '["NOTICE", "hi"]', '["EVENT", "kez", 7]', '["EVENT"]', "[]"]
    relay.events = [
        NPUB_OWNER.nostr_event(0, (), content, NOW).to_value() for content in ("{", "[]", '{"about": 7}')
    ]
    assert await status_of(NostrChannel([relay.url]), subject) is Status.NOT_FOUND


@pytest.mark.parametrize(
    "extra", [["not json"], ['["EVENT","kez",{}]'] * 600, ["[" * 100_000], ["x" * 1_000_000]]
)
async def test_relays_that_are_none(relay, extra):
    relay.noise = extra
    with pytest.raises(FetchError):
        await status_of(NostrChannel([relay.url]), NPUB_OWNER.public.primary)


async def test_no_relay_answers(relay):
    relay.end = "CLOSED"
    for relays in ([relay.url], ["ws://127.0.0.1:1"], []):
        with pytest.raises(FetchError, match="no relay answers"):
            await status_of(NostrChannel(relays), NPUB_OWNER.public.primary)
