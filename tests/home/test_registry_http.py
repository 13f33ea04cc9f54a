"""PROTOCOL 10, the registry: every answer of every route."""

import ipaddress
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.testing.home_people import Person

NOW = 1_800_000_000
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def register(site, person, **changes):
    server, moment = changes.pop("server", "kez.test"), changes.pop("at", NOW)
    return site.post("/v1/register", person.registration(server, moment, **changes))


def test_register_answers_201_with_the_record_and_lookups_give_the_same(site):
    alice = Person("alice")
    answer = register(site, alice)
    assert answer.status_code == 201
    record = answer.json()
    assert record == {
        "handle": "alice",
        "fqhn": "alice@kez.test",
        "primary": alice.public.primary,
        "sigchain_url": f"https://chains.test/v1/sigchains/ed25519/{alice.public.hex}",
        "registered_at": "2027-01-15T08:00:00Z",
        "registration": json.loads(alice.registration("kez.test", NOW)),
        "proofs": [],
    }
    for path in (
        "/v1/u/alice",
        "/v1/u/alice@kez.test",
        "/v1/u/@alice",
        f"/v1/by-primary/{alice.public.primary}",
    ):
        looked_up = site.get(path)
        assert (looked_up.status_code, looked_up.json()) == (200, record)
        assert looked_up.headers["content-type"] == "application/json"


def test_a_byte_identical_repeat_answers_200_also_much_later(site):
    alice = Person("alice")
    assert register(site, alice).status_code == 201
    assert register(site, alice).status_code == 200
    site.clock.wall += 86_400
    assert register(site, alice).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/v1/u/nobody", 404, "not_found"),
        ("GET", "/v1/u/alice@other.test", 404, "not_found"),
        ("GET", "/v1/u/%00", 404, "not_found"),
        ("GET", "/v1/u/" + "a" * 5000, 404, "not_found"),
        (
            "GET",
            "/v1/by-primary/ed25519:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
            404,
            "not_found",
        ),
        ("GET", "/v1/by-primary/ed25519:" + "0" * 63, 400, "bad_request"),
        ("GET", "/v1/by-primary/nostr:npub1x", 400, "bad_request"),
        ("GET", "/v1/by-primary/garbage", 400, "bad_request"),
        ("GET", "/.well-known/webfinger", 400, "bad_request"),
        ("GET", "/.well-known/webfinger?resource=alice", 400, "bad_request"),
        (
            "GET",
            "/.well-known/webfinger?resource=acct:a@kez.test&resource=acct:b@kez.test",
            400,
            "bad_request",
        ),
        ("GET", "/.well-known/webfinger?resource=acct:nobody@kez.test", 404, "not_found"),
        ("GET", "/.well-known/webfinger?resource=acct:alice@other.test", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
        ("GET", "/internal/nats/auth", 404, "not_found"),
        ("POST", "/internal/nats/auth", 404, "not_found"),
        ("GET", "/v1/register", 405, "method_not_allowed"),
        ("DELETE", "/v1/u/alice", 405, "method_not_allowed"),
        ("POST", "/v1/healthz", 405, "method_not_allowed"),
    ],
)
def test_errors_are_json_with_slug_message_and_hint(module_site, method, path, status, slug):
    answer = module_site.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (status, slug)
    assert set(answer.json()) == {"error", "message", "hint"}


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"server": "other.test"}, "server_mismatch"),
        ({"at": NOW + 301}, "stale_date"),
        ({"at": NOW - 301}, "stale_date"),
        ({"handle": "al"}, "bad_handle"),
        ({"handle": "-alice"}, "bad_handle"),
        ({"handle": "Alice"}, "bad_handle"),
        ({"handle": "admin"}, "bad_handle"),
        ({"handle": "a" * 33}, "bad_handle"),
    ],
)
def test_registrations_that_are_refused(module_site, changes, slug):
    answer = register(module_site, Person("alice"), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, slug)


def envelope_with(person, **changes):
    value = json.loads(person.registration("kez.test", NOW))
    for path, changed in changes.items():
        *parents, last = path.split("__")
        target = value
        for parent in parents:
            target = target[parent]
        target[last] = changed
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"signature__sig": "00" * 64}, "bad_signature"),
        ({"signature__key": "ed25519:" + "11" * 32}, "bad_signature"),
        ({"signature__alg": "none"}, "bad_signature"),
        ({"payload__handle": "mallory"}, "bad_signature"),
        ({"payload__type": "kez.claim"}, "bad_request"),
        ({"payload__version": 2}, "bad_request"),
        ({"kez": "claim"}, "bad_request"),
        ({"extra": 1}, "bad_request"),
    ],
)
def test_envelopes_that_are_refused(module_site, changes, slug):
    answer = module_site.post("/v1/register", envelope_with(Person("alice"), **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, slug)


def test_freshness_is_five_minutes_either_way(site):
    assert register(site, Person("alice"), at=NOW + 300).status_code == 201
    assert register(site, Person("bobby"), at=NOW - 300).status_code == 201


def test_handle_and_primary_are_unique(site):
    alice = Person("alice")
    assert register(site, alice).status_code == 201
    taken = register(site, Person("alice"))
    assert (taken.status_code, taken.json()["error"]) == (409, "handle_taken")
    second = register(site, Person("alice2", alice.signer))
    assert (second.status_code, second.json()["error"]) == (409, "primary_taken")
    again = register(site, alice, at=NOW + 1)
    assert again.status_code == 409, "other bytes are no repeat"


def test_webfinger(site):
    alice = Person("alice")
    register(site, alice)
    answer = site.get("/.well-known/webfinger?resource=acct:alice@kez.test")
    assert answer.headers["content-type"] == "application/jrd+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    jrd = answer.json()
    assert jrd["subject"] == "acct:alice@kez.test"
    assert jrd["aliases"] == [alice.public.primary]
    assert {link["rel"].rpartition("/")[2]: link["href"] for link in jrd["links"]} == {
        "record": "https://kez.test/v1/u/alice",
        "profile-page": "https://kez.test/u/alice",
        "sigchain": f"https://chains.test/v1/sigchains/ed25519/{alice.public.hex}",
        "nats": "nats://n.test",
    }
    rel = "https://kez.lat/rel/sigchain"
    filtered = site.get("/.well-known/webfinger", params={"resource": "acct:alice@kez.test", "rel": rel})
    assert [link["rel"] for link in filtered.json()["links"]] == [rel]


def test_webfinger_errors_may_be_read_by_browsers(module_site):
    for query in ("", "?resource=acct:nobody@kez.test"):
        answer = module_site.get(f"/.well-known/webfinger{query}")
        assert answer.headers["access-control-allow-origin"] == "*"


def test_healthz_and_server(module_site):
    assert module_site.get("/v1/healthz").json() == {"status": "ok", "server": "kez.test", "version": "9.9"}
    assert module_site.get("/v1/server").json() == {
        "server": "kez.test",
        "version": "9.9",
        "nats_urls": ["nats://n.test"],
        "sigchain_url": "https://chains.test",
        "guests": False,
        "registration": "open",
    }


def test_head_has_no_body(module_site):
    answer = module_site.request("HEAD", "/v1/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_bodies_over_64_kib_are_refused_while_they_stream(module_site):
    announced = module_site.post("/v1/register", b"x" * 65_537)
    assert (announced.status_code, announced.json()["error"]) == (413, "too_large")
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1024

    async def ask():
        scope = {
            "type": "http", "method": "POST", "path": "/v1/register", "raw_path": b"/v1/register", "headers": [],
            "query_string": b"", "client": ("203.0.113.9", 1), "root_path": "",
        }  # fmt: skip
        chunks, answer = endless(), []

        async def receive():
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}

        async def send(message):
            answer.append(message)

        await module_site.app(scope, receive, send)
        await chunks.aclose()
        return answer[0]["status"]

    assert module_site.runner.run(ask()) == 413
    assert sent == 65


def test_a_body_of_exactly_64_kib_is_read(module_site):
    assert module_site.post("/v1/register", b" " * 65_536).json()["error"] == "bad_request"


def test_rate_limit_with_retry_after(open_site):
    site = open_site(per_minute=6, burst=2)
    answers = [site.post("/v1/register", b"{}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert answers[2].json()["error"] == "rate_limited"
    assert answers[2].headers["retry-after"] == "10"
    assert site.post("/v1/register", b"{}", client=("203.0.113.2", 1)).status_code == 400
    site.clock.mono += 10
    assert site.post("/v1/register", b"{}").status_code == 400
    assert site.get("/v1/u/alice").status_code == 404, "look-ups are not limited"


def test_ipv6_addresses_count_by_their_64(open_site):
    site = open_site(per_minute=6, burst=1)
    codes = [
        site.post("/v1/register", b"{}", client=(ip, 1)).status_code
        for ip in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
    ]
    assert codes == [400, 429, 400]


def test_ipv4_addresses_of_a_dual_stack_listener_count_one_by_one(open_site):
    site = open_site(per_minute=6, burst=1)
    codes = [
        site.post("/v1/register", b"{}", client=(ip, 1)).status_code
        for ip in ("::ffff:203.0.113.1", "::ffff:203.0.113.2", "::ffff:203.0.113.1")
    ]
    assert codes == [400, 400, 429]


def test_a_proxy_of_a_dual_stack_listener_is_trusted(open_site):
    site = open_site(per_minute=6, burst=1, trusted=(ipaddress.ip_network("203.0.113.0/24"),))
    codes = [
        site.post("/v1/register", b"{}", client=("::ffff:203.0.113.1", 1), headers={"X-Forwarded-For": who})
        for who in ("198.51.100.1", "::ffff:198.51.100.2", "198.51.100.2")
    ]
    assert [answer.status_code for answer in codes] == [400, 400, 429]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "codes"),
    [
        ((), ["198.51.100.1", "198.51.100.2"], [400, 429]),
        (("203.0.113.0/24",), ["198.51.100.1", "198.51.100.2"], [400, 400]),
        (("203.0.113.0/24",), ["6.6.6.6, 198.51.100.1", "7.7.7.7, 198.51.100.1"], [400, 429]),
        (("203.0.113.0/24",), ["198.51.100.1, 203.0.113.7", "198.51.100.2, 203.0.113.7"], [400, 400]),
        (("203.0.113.0/24",), ["garbage", "rubbish"], [400, 429]),
        (("10.0.0.0/8",), ["198.51.100.1", "198.51.100.2"], [400, 429]),
    ],
)
def test_forwarded_for_is_believed_from_trusted_proxies_only(open_site, trusted, forwarded, codes):
    site = open_site(per_minute=1, burst=1, trusted=tuple(map(ipaddress.ip_network, trusted)))
    answers = [site.post("/v1/register", b"{}", headers={"X-Forwarded-For": value}) for value in forwarded]
    assert [answer.status_code for answer in answers] == codes


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(module_site, body):
    answer = module_site.post("/v1/register", body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["kez", "payload", "signature"]), st.sampled_from(["", "handle", "server", "created_at", "primary", "alg", "sig", "key"]),
    JSON_VALUES,
)  # fmt: skip
def test_any_bent_envelope_is_answered(module_site, member, inner, value):
    bent = json.loads(Person("alice").registration("kez.test", NOW))
    if inner and isinstance(bent[member], dict):
        bent[member][inner] = value
    else:
        bent[member] = value
    answer = module_site.post("/v1/register", json.dumps(bent).encode())
    assert answer.status_code == 400
    assert answer.json()["error"] in {
        "bad_request",
        "bad_signature",
        "bad_handle",
        "server_mismatch",
        "stale_date",
    }
