"""PROTOCOL 10, the sigchain server: append, read, and what it refuses."""

import json
import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.kez.envelope import encode_envelope
from kezd.kez.keys import Seed
from kezd.kez.sigchain import (
    Chain,
    add,
    add_nats_endpoint,
    decode_event,
    decode_jsonl,
    encode_jsonl,
    event_payload,
    rotate,
)
from kezd.kez.signing import Signer

NOW = 1_800_000_000


class Owner:
    """Somebody who signs a chain; `chain` is what was signed so far."""

    def __init__(self):
        self.signer = Signer(Seed(secrets.token_bytes(32)))
        self.chain = Chain.empty(self.signer.public)
        self.path = f"/v1/sigchains/ed25519/{self.signer.public.hex}"

    def sign(self, members=None, signer=None):
        """An event that follows the chain, not appended to it."""
        members = members or add("dns:example.test")
        payload = event_payload(self.chain, "add", members, NOW)
        return self.encode((signer or self.signer).sigchain_event(payload))

    def encode(self, envelope):
        return encode_envelope(envelope)

    def append(self, site, body=None):
        body = body or self.sign()
        answer = site.post(f"{self.path}/events", body)
        if answer.status_code == 201:
            self.chain = self.chain.append(decode_event(body))
        return answer

    def rotate(self, site):
        new = Signer(Seed(secrets.token_bytes(32)))
        unsigned = event_payload(self.chain, "rotate", rotate(new.public), NOW)
        consent = new.rotate_consent(unsigned)
        payload = event_payload(self.chain, "rotate", rotate(new.public, consent), NOW)
        answer = self.append(site, self.encode(self.signer.sigchain_event(payload)))
        self.old, self.signer = self.signer, new
        return answer


def test_append_and_read_back(site):
    owner = Owner()
    assert site.get(owner.path).status_code == 404
    first = owner.append(site)
    assert (first.status_code, first.json()) == (201, {"seq": 1, "hash": owner.chain.head.hash})
    assert owner.append(site).json()["seq"] == 2
    answer = site.get(owner.path)
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert decode_jsonl(answer.content, owner.chain.genesis).head == owner.chain.head


def test_etag_is_the_head(site):
    owner = Owner()
    owner.append(site)
    etag = site.get(owner.path).headers["etag"]
    assert etag == f'"{owner.chain.head.hash}"'
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        unchanged = site.get(owner.path, headers={"If-None-Match": value})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    owner.append(site)
    assert site.get(owner.path, headers={"If-None-Match": etag}).status_code == 200


def test_identical_repeat_answers_200(site):
    owner = Owner()
    first, second = owner.sign(), None
    assert owner.append(site, first).status_code == 201
    second = owner.sign()
    assert owner.append(site, second).status_code == 201
    for seq, body in ((1, first), (2, second)):
        again = site.post(f"{owner.path}/events", body)
        assert (again.status_code, again.json()["seq"]) == (200, seq)
    assert len(site.get(owner.path).content.splitlines()) == 2


def test_conflicts_answer_409_with_the_head(site):
    owner = Owner()
    early = Owner()
    early.signer, early.chain = owner.signer, owner.chain
    empty = {"seq": 0, "hash": None}
    owner.append(site)
    fork = early.sign(add("dns:fork.test"))
    answer = site.post(f"{owner.path}/events", fork)
    head = {"seq": 1, "hash": owner.chain.head.hash}
    assert (answer.status_code, answer.json()["error"], answer.json()["head"]) == (409, "conflict", head)
    ahead = Owner()
    ahead.chain = ahead.chain.append(decode_event(ahead.sign()))
    answer = site.post(f"{ahead.path}/events", ahead.sign())
    assert (answer.status_code, answer.json()["head"]) == (409, empty)


def test_only_the_current_key_may_append(site):
    owner, stranger = Owner(), Owner()
    body = owner.sign()
    answer = site.post(f"{stranger.path}/events", body)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_signature")
    owner.append(site)
    assert owner.rotate(site).status_code == 201
    assert site.runner.run(site.sigchain_store.current_of(owner.chain.genesis.raw)) == owner.signer.public.raw
    assert site.runner.run(site.sigchain_store.genesis_of(owner.signer.public.raw)) == owner.chain.genesis.raw
    bent = json.loads(owner.sign())
    bent["payload"]["primary"] = bent["signature"]["key"] = owner.old.public.primary
    answer = site.post(f"{owner.path}/events", owner.encode(owner.old.sigchain_event(bent["payload"])))
    assert answer.status_code == 400
    assert owner.append(site).status_code == 201


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sigchains/ed25519/" + "ab" * 32, 404),
        ("/v1/sigchains/ed25519/" + "AB" * 32, 400),
        ("/v1/sigchains/ed25519/xyz", 400),
        ("/v1/sigchains/nostr/" + "ab" * 32, 400),
    ],
)
def test_paths(module_site, path, status):
    assert module_site.get(path).status_code == status


def test_events_over_64_kib_are_refused(module_site):
    owner = Owner()
    answer = module_site.post(f"{owner.path}/events", b" " * 65_537)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def test_rate_limit(open_site):
    site, owner = open_site(per_minute=60, burst=1), Owner()
    assert owner.append(site).status_code == 201
    limited = owner.append(site)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")


def test_a_restarted_server_goes_on(open_site):
    site, owner = open_site(), Owner()
    for _ in range(5):
        assert owner.append(site).status_code == 201
    site.close()
    fresh = open_site()
    site.close = lambda: None
    assert owner.append(fresh).status_code == 201
    assert decode_jsonl(fresh.get(owner.path).content, owner.chain.genesis).head.seq == 6


def test_a_long_chain_goes_out_in_parts(site):
    owner = Owner()
    for _ in range(8):
        payload = event_payload(owner.chain, "later", {"text": "x" * 60_000}, NOW)
        owner.append(site, owner.encode(owner.signer.sigchain_event(payload)))
    answer = site.get(owner.path)
    assert answer.content == encode_jsonl(owner.chain)
    assert "content-length" not in answer.headers
    assert site.request("HEAD", owner.path).content == b""
    parts = []

    async def ask():
        async def send(message):
            parts.append(len(message.get("body", b"")))

        scope = {
            "type": "http",
            "method": "GET",
            "path": owner.path,
            "headers": [],
            "client": ("203.0.113.1", 1),
        }
        await site.app(scope, None, send)

    site.runner.run(ask())
    assert max(parts) <= 128 * 1024
    assert sum(parts) == owner.chain.size


def test_a_long_chain_is_verified_once_however_often_its_owner_sends_a_bad_event(open_site):
    first = open_site()
    owner = Owner()
    payload = event_payload(owner.chain, "later", {"text": "x" * 60_000}, NOW)
    owner.append(first, owner.encode(owner.signer.sigchain_event(payload)))
    for _ in range(20):
        owner.append(first)
    again = open_site()
    foreign = add_nats_endpoint("nats://n.test", "kez.inbox." + "0" * 64, [2])
    payload = event_payload(owner.chain, "add_endpoint", foreign, NOW)
    bad = owner.encode(owner.signer.sigchain_event(payload))
    assert again.cache.get(owner.chain.genesis.raw, owner.chain.head) is None
    for _ in range(2):
        assert again.post(f"{owner.path}/events", bad).status_code == 400
        assert again.cache.get(owner.chain.genesis.raw, owner.chain.head) is not None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), st.integers(0, 2000), st.integers(0, 255))
def test_any_body_is_answered(module_site, garbage, place, value):
    owner = Owner()
    assert module_site.post(f"{owner.path}/events", garbage).status_code == 400
    bent = bytearray(owner.sign())
    bent[place % len(bent)] = value
    status = module_site.post(f"{owner.path}/events", bytes(bent)).status_code
    assert status in ({400, 409} if bytes(bent) != owner.sign() else {201})
