"""What people want to be found by: taken, found, shown; and a nostr key's chain."""

import re

import pytest

from kezd.home.sigchains import chain_address
from kezd.kez.envelope import encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import PublicKey
from kezd.kez.nostr_keys import NostrKey, NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.profile import profile_payload
from kezd.kez.sigchain import Chain, add, decode_jsonl, event_payload, rotate
from kezd.testing.home_people import Person

NOW = 1_800_000_000
PATH = "/v1/profile/alice/proofs"


def signed(person, *subjects, at=NOW, name="alice", server="kez.test", signer=None, **more):
    signer = signer or person.signer
    payload = profile_payload(Handle(name, server), signer.public, subjects, at)
    return encode_envelope(signer.profile_proofs(payload | more))


def put(site, body, path=PATH):
    return site.request("PUT", path, content=body)


@pytest.fixture
def alice(site):
    alice = Person("alice")
    assert site.post("/v1/register", alice.registration("kez.test", NOW)).status_code == 201
    return alice


def test_put_and_find(site, alice):
    assert site.get("/v1/by-proof?subject=github:alice").json() == {"items": []}
    answer = put(site, signed(alice, "github:Alice", "dns:example.com"))
    assert (answer.status_code, answer.json()["proofs"]) == (200, ["dns:example.com", "github:alice"])
    assert site.get("/v1/u/alice").json()["proofs"] == ["dns:example.com", "github:alice"]
    found = site.get("/v1/by-proof?subject=github:@Alice").json()
    assert found == {"items": [{"handle": "alice", "fqhn": "alice@kez.test"}]}
    assert put(site, signed(alice, "github:Alice", "dns:example.com")).status_code == 200, "the same again"
    assert put(site, signed(alice, "github:other", at=NOW - 1)).status_code == 409
    assert put(site, signed(alice, at=NOW + 1)).status_code == 200
    assert site.get("/v1/by-proof?subject=github:alice").json() == {"items": []}


def test_after_a_rotation_the_new_key_speaks(site, alice):
    bob = Person("bobby")
    empty = Chain.empty(alice.public)
    consent = bob.signer.rotate_consent(event_payload(empty, "rotate", rotate(bob.public), NOW))
    event = alice.signer.sigchain_event(event_payload(empty, "rotate", rotate(bob.public, consent), NOW))
    path = f"/v1/sigchains/ed25519/{alice.public.hex}/events"
    assert site.post(path, encode_envelope(event)).status_code == 201
    assert put(site, signed(alice, "github:alice")).json()["error"] == "bad_signature"
    assert put(site, signed(alice, "github:alice", signer=bob.signer)).status_code == 200
    assert bob.public.hex[:8] in site.get("/u/alice").text
    assert site.get(f"/v1/by-primary/{bob.public.primary}").json()["primary"] == alice.public.primary


def test_what_is_refused(site, alice):
    mallory = Person("mallory")
    assert site.post("/v1/register", mallory.registration("kez.test", NOW)).status_code == 201
    good = signed(alice, "github:alice")
    cases = [
        (PATH, b"{", "bad_request"),
        (PATH, b"[]", "bad_request"),
        (PATH, alice.registration("kez.test", NOW), "bad_request"),
        (PATH, good.replace(b"github:alice", b"github:mally"), "bad_signature"),
        (PATH, signed(mallory, "github:alice"), "bad_signature"),
        (PATH, signed(alice, "github:alice", name="mallory"), "bad_request"),
        (PATH, signed(alice, "github:alice", server="other.test"), "bad_request"),
        (PATH, signed(alice, "github:alice", at=NOW + 301), "stale_date"),
        (PATH, signed(alice, "github:alice", at=NOW - 301), "stale_date"),
        (PATH, signed(alice, proofs=["github:b", "github:a"]), "bad_request"),
        (PATH, signed(alice, proofs=["github:a", "github:a"]), "bad_request"),
        (PATH, signed(alice, proofs=["github:A"]), "bad_request"),
        (PATH, signed(alice, proofs=[7]), "bad_request"),
        (PATH, signed(alice, proofs={"a": 1}), "bad_request"),
        (PATH, signed(alice, proofs=[f"github:a{n:02}" for n in range(65)]), "bad_request"),
        ("/v1/profile/nobody/proofs", good, "not_found"),
        ("/v1/profile/alice@other.test/proofs", good, "not_found"),
        ("/v1/profile/mallory/proofs", good, "bad_request"),
    ]
    for path, body, slug in cases:
        assert put(site, body, path).json()["error"] == slug, body
    assert put(site, b"x" * 70_000).status_code == 413
    assert site.get("/v1/u/alice").json()["proofs"] == []
    for query in ("", "?subject=", "?subject=alice", "?subject=github:a&subject=github:b", "?" + "&" * 50):
        assert site.get(f"/v1/by-proof{query}").status_code in (200, 400)
        assert site.get(f"/v1/by-proof{query}").json().get("error") == "bad_request"


def test_the_page(site, alice):
    page = site.get("/u/alice")
    assert "No claims are published here" in page.text
    put(
        site,
        signed(
            alice, "github:alice", "ap:alice@social.test", "did:<script>alert(1)</script>", "web:example.com"
        ),
    )
    page = site.get("/u/@alice")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script" not in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert 'href="https://github.com/alice"' in page.text
    assert 'href="https://social.test/@alice"' in page.text
    assert alice.public.hex[:8] in page.text
    assert set(re.findall(r'href="(\w+):', page.text)) == {"https"}
    assert site.get("/u/nobody").status_code == 404
    assert site.get("/u/%3Cscript%3E").status_code == 404


def test_the_chain_of_a_nostr_key(site):
    signer = NostrSigner(NostrSecret(b"\x07" * 32))
    path = f"/v1/sigchains/nostr/{signer.public.npub}"
    assert site.get(path).status_code == 404
    chain = Chain.empty(signer.public)
    event = signer.sigchain_event(event_payload(chain, "add", add("github:alice"), NOW))
    assert site.post(f"{path}/events", encode_envelope(event)).status_code == 201
    assert site.post(f"{path}/events", encode_envelope(event)).status_code == 200
    assert [str(one.subject) for one in decode_jsonl(site.get(path).content, signer.public).subjects] == [
        "github:alice"
    ]
    # The same 32 bytes as the other kind of key are another chain.
    assert site.get(f"/v1/sigchains/ed25519/{signer.public.raw.hex()}").status_code == 404
    assert chain_address(signer.public) != chain_address(PublicKey(signer.public.raw))
    for bad in (
        "/v1/sigchains/nostr/npub1",
        "/v1/sigchains/rsa/00",
        f"/v1/sigchains/nostr/{signer.public.raw.hex()}",
    ):
        assert site.get(bad).status_code == 400
    other = NostrSigner(NostrSecret(b"\x09" * 32))
    forged = other.sigchain_event(event_payload(Chain.empty(other.public), "add", add("github:x"), NOW))
    assert site.post(f"{path}/events", encode_envelope(forged)).status_code in (400, 409)
    assert isinstance(signer.public, NostrKey)
