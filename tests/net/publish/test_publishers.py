"""Publishers against servers that answer as the real services do; what they publish, the channels find."""

import json

import pytest
import trio

from kezd.kez.claims import claim_payload
from kezd.kez.identifiers import parse_identifier
from kezd.kez.keys import Seed
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.proofs import find_proof
from kezd.kez.signing import Signer
from kezd.kez.verification import Status, judge
from kezd.net.fetch.nostr import NostrChannel
from kezd.net.fetch.page import FetchError, RateLimitedError
from kezd.net.publish.bluesky import BlueskyPublisher
from kezd.net.publish.github import GitHubPublisher
from kezd.net.publish.mastodon import MastodonPublisher
from kezd.net.publish.nostr import NostrPublisher
from kezd.net.publish.publisher import Published, PublishError

NOW = 1_767_225_600
SECRET = "s3cret-credential"
ALICE = Signer(Seed(b"\x0a" * 32))
NPUB_OWNER = NostrSigner(NostrSecret(b"\x07" * 32))
HOST = "api.github.test"


def claim(subject):
    return ALICE.claim(claim_payload(ALICE.public, subject, NOW))


async def publish(publisher, subject):
    identifier = parse_identifier(subject)
    with trio.fail_after(20):
        return await publisher.publish(identifier, claim(subject), NOW)


# --- github


@pytest.fixture
def github(web):
    web.put(HOST, "/user", json.dumps({"login": "Alice", "id": 1}))
    web.take("POST", HOST, "/gists", {"id": "abc", "html_url": "https://gist.github.com/alice/abc"}, 201)
    web.take("DELETE", HOST, "/gists/abc", None, 204)
    return lambda fetcher: GitHubPublisher(fetcher, SECRET, web.url(HOST, ""))


async def test_a_gist_is_made_and_taken_away(web, github):
    async with web.fetcher() as fetcher:
        published = await publish(github(fetcher), "github:alice")
        assert published == Published("https://gist.github.com/alice/abc", "abc")
        body = json.loads(web.bodies[1])
        assert body["public"] is True
        assert find_proof(body["files"]["kez.md"]["content"]) == claim("github:alice")
        await github(fetcher).remove(published)
        web.take("DELETE", HOST, "/gists/abc", None, 404)
        await github(fetcher).remove(published)
    assert web.calls == ["GET /user", "POST /gists", "DELETE /gists/abc", "DELETE /gists/abc"]
    assert {request["authorization"] for request in web.requests} == {f"Bearer {SECRET}"}


async def test_a_token_of_somebody_else_writes_nothing(web, github):
    web.put(HOST, "/user", json.dumps({"login": "mallory"}))
    async with web.fetcher() as fetcher:
        with pytest.raises(PublishError, match="is of 'mallory', not of alice"):
            await publish(github(fetcher), "github:alice")
    assert web.calls == ["GET /user"]


@pytest.mark.parametrize(
    ("status", "error"), [(401, PublishError), (403, PublishError), (422, PublishError), (500, FetchError), (302, FetchError), (429, RateLimitedError), (200, FetchError)]
)  # fmt: skip
async def test_refusals_of_github(web, github, status, error):
    web.take("POST", HOST, "/gists", {}, status)
    async with web.fetcher() as fetcher:
        with pytest.raises(error) as caught:
            await publish(github(fetcher), "github:alice")
    assert SECRET not in str(caught.value)


async def test_an_answer_without_what_it_must_have(web, github):
    web.take("POST", HOST, "/gists", {"id": 7}, 201)
    async with web.fetcher() as fetcher:
        with pytest.raises(FetchError, match="may have been done"):
            await publish(github(fetcher), "github:alice")


async def test_a_redirect_gets_no_secret(web, github):
    web.pages[f"POST {HOST}/gists"] = lambda _request: (
        307,
        [("Location", web.url("evil.example", "/"))],
        b"",
    )
    web.put("evil.example", "/", "thanks")
    async with web.fetcher() as fetcher:
        with pytest.raises(FetchError, match="redirects"):
            await publish(github(fetcher), "github:alice")
    assert not any(request["host"].startswith("evil") for request in web.requests)


# --- bluesky

LOGIN = "/xrpc/com.atproto.server.createSession"
CREATE = "/xrpc/com.atproto.repo.createRecord"
DELETE = "/xrpc/com.atproto.repo.deleteRecord"


async def test_bluesky(web):
    web.take("POST", HOST, LOGIN, {"did": "did:plc:x", "handle": "alice.example", "accessJwt": "jwt"})
    web.take("POST", HOST, CREATE, {"uri": "at://did:plc:x/app.bsky.feed.post/3k", "cid": "c"})
    web.take("POST", HOST, DELETE, {})
    async with web.fetcher() as fetcher:
        publisher = BlueskyPublisher(fetcher, SECRET, "https://kez.test/u/alice", web.url(HOST, ""))
        published = await publish(publisher, "bluesky:alice.example")
        assert published.url == "https://bsky.app/profile/alice.example/post/3k"
        assert json.loads(web.bodies[0]) == {"identifier": "alice.example", "password": SECRET}
        record = json.loads(web.bodies[1])["record"]
        assert len(record["text"]) <= 300
        assert record["createdAt"] == "2026-01-01T00:00:00Z"
        assert find_proof(record["embed"]["external"]["description"]) == claim("bluesky:alice.example")
        await publisher.remove(published)
        assert json.loads(web.bodies[3]) == {
            "repo": "did:plc:x",
            "collection": "app.bsky.feed.post",
            "rkey": "3k",
        }
        web.take("POST", HOST, LOGIN, {"did": "d", "handle": "mallory.example", "accessJwt": "jwt"})
        with pytest.raises(PublishError, match="mallory"):
            await publish(publisher, "bluesky:alice.example")
        web.take("POST", HOST, LOGIN, {"error": "AuthenticationRequired"}, 401)
        with pytest.raises(PublishError):
            await publish(publisher, "bluesky:alice.example")
    assert web.requests[1]["authorization"] == "Bearer jwt"


# --- mastodon


async def test_mastodon(web):
    web.put(
        "example.com",
        "/api/v1/accounts/verify_credentials",
        json.dumps({"username": "Alice", "acct": "alice"}),
    )
    web.take("POST", "example.com", "/api/v1/statuses", {"id": "1", "url": "https://example.com/@alice/1"})
    web.take("DELETE", "example.com", "/api/v1/statuses/1", {})
    async with web.fetcher() as fetcher:
        publisher = MastodonPublisher(fetcher, SECRET, "example.com", web.url("{host}", ""))
        published = await publish(publisher, "ap:alice@example.com")
        assert published == Published("https://example.com/@alice/1", "1")
        body = json.loads(web.bodies[1])
        assert len(body["status"]) <= 500
        assert find_proof(body["status"]) == claim("ap:alice@example.com")
        await publisher.remove(published)
        with pytest.raises(PublishError):
            await publish(publisher, "ap:bob@example.com")
    assert web.requests[1]["idempotency-key"].startswith("kez-")


# --- nostr


async def test_nostr(relay):
    subject = NPUB_OWNER.public.primary
    relays = [relay.url, "ws://127.0.0.1:1"]
    publisher = NostrPublisher(relays, NPUB_OWNER)
    relay.noise = ['["NOTICE", "hello"]', '["OK", "other", false]', "7"]
    published = await publish(publisher, subject)
    assert published.url == f"nostr:{relay.events[0]['id']}"
    relay.noise = []
    places = await NostrChannel(relays).look(parse_identifier(subject))
    assert judge(parse_identifier(subject), ALICE.public.primary, places, NOW + 1).status is Status.VALID
    with trio.fail_after(20):
        await publisher.remove(published)
    assert relay.events[1]["kind"] == 5
    assert ["e", relay.events[0]["id"]] in relay.events[1]["tags"]


async def test_relays_that_refuse_or_are_not_there(relay):
    subject = NPUB_OWNER.public.primary
    relay.takes = False
    with pytest.raises(PublishError, match="refused it"):
        await publish(NostrPublisher([relay.url], NPUB_OWNER), subject)
    for relays in (["ws://127.0.0.1:1"], [], ["http://127.0.0.1:1"]):
        with pytest.raises(FetchError):
            await publish(NostrPublisher(relays, NPUB_OWNER), subject)
    relay.noise = ["not json"]
    with pytest.raises(FetchError):
        await publish(NostrPublisher([relay.url], NPUB_OWNER), subject)
    other = NostrSigner(NostrSecret(b"\x09" * 32)).public.primary
    with pytest.raises(PublishError, match="not of"):
        await publish(NostrPublisher([relay.url], NPUB_OWNER), other)
