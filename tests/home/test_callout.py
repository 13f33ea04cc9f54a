"""Who gets in: the auth callout behind a real nats-server, and the same decision over HTTP."""

import asyncio  # noqa: TID251 - home is an asyncio process
import base64
import json
import os
import secrets
import signal
import time

import httpx
import pytest
from prometheus_client import CollectorRegistry

from kezd.home.auth_callout import AuthCallout, Grants
from kezd.home.errors import HomeUnavailableError
from kezd.home.metrics import Metrics
from kezd.home.nats_jwt import decode_jwt, encode_jwt
from kezd.home.nats_keys import NatsKey, load_keys
from kezd.home.nats_link import NatsLink, Subscription
from kezd.home.nats_side import HomeStores, NatsSide
from kezd.home.settings import Address, Role, Settings
from kezd.home.store.registry_sqlite import (
    REGISTRY_MIGRATIONS,
    SqliteRegistryStore,
    SqliteSessionStore,
    SqliteTagKeyStore,
)
from kezd.home.store.sqlite import SqliteFile
from kezd.kez.envelope import encode_envelope
from kezd.kez.keys import Seed
from kezd.kez.nkeys import Prefix
from kezd.kez.sigchain import Chain, decode_event, event_payload, rotate
from kezd.kez.signing import Signer
from kezd.runtime.clock import SystemClock
from kezd.testing.home_driver import HomeProcess
from kezd.testing.home_people import Person
from kezd.testing.nats_driver import NatsServer
from kezd.testing.raw_nats import RawNats, RefusedError

VIOLATION = "-ERR 'Authorization Violation'"


@pytest.fixture(scope="module")
def alice(shared_home):
    person = Person("alice")
    person.register(shared_home.url)
    return person


def refusal(home, make_options):
    """The server's words to these CONNECT members, and how long it took to say them."""
    raw = RawNats.open(home.nats_url)
    started = time.monotonic()
    with pytest.raises(RefusedError) as caught:
        raw.handshake(make_options(raw.info["nonce"]))
    return str(caught.value), time.monotonic() - started


def signed(person, nonce, encode=base64.b64encode):
    return {"nkey": person.public.nkey, "sig": encode(person.signer.nats_nonce(nonce)).decode()}


def test_a_registered_key_gets_in(shared_home, alice):
    alice.connect(shared_home.nats_url)


def test_both_base64_alphabets_are_read(shared_home, alice):
    for encode in (base64.b64encode, lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")):
        raw = RawNats.open(shared_home.nats_url)
        raw.handshake(signed(alice, raw.info["nonce"], encode))


def test_all_refusals_look_alike_and_are_quick(shared_home, alice):
    stranger, other = Person("stranger"), RawNats.open(shared_home.nats_url).info["nonce"]
    keys = load_keys(shared_home.directory / "keys")
    attempts = {
        "unknown key": lambda nonce: signed(stranger, nonce),
        "bad signature": lambda nonce: signed(alice, nonce) | {"sig": base64.b64encode(bytes(64)).decode()},
        "somebody else's signature": lambda nonce: signed(stranger, nonce) | {"nkey": alice.public.nkey},
        "signature of another connection": lambda _: signed(alice, other),
        "garbage signature": lambda _: {"nkey": alice.public.nkey, "sig": "garbage"},
        "not base64": lambda _: {"nkey": alice.public.nkey, "sig": "!!!"},
        "garbage nkey": lambda nonce: signed(alice, nonce) | {"nkey": "UGARBAGE"},
        "no signature": lambda _: {"nkey": alice.public.nkey},
        "anonymous": lambda _: {},
        "password": lambda _: {"user": "alice", "pass": "secret"},
        "token": lambda _: {"auth_token": keys.callout.public},
        "callout's nkey as user": lambda _: {"user": keys.callout.public, "pass": ""},
        "callout's nkey, bad signature": lambda nonce: signed(alice, nonce) | {"nkey": keys.callout.public},
        "home's nkey, bad signature": lambda nonce: signed(alice, nonce) | {"nkey": keys.home.public},
        "admin's nkey, bad signature": lambda nonce: signed(alice, nonce) | {"nkey": keys.admin.public},
    }
    for name, make_options in attempts.items():
        words, seconds = refusal(shared_home, make_options)
        assert words == VIOLATION, name
        assert seconds < 1, name


def test_replayed_login_is_refused(shared_home, alice):
    """What somebody saw on one connection opens no other one."""
    first = RawNats.open(shared_home.nats_url)
    options = signed(alice, first.info["nonce"])
    first.handshake(options)
    words, _ = refusal(shared_home, lambda _: options)
    assert words == VIOLATION


def test_a_hanging_callout_refuses_after_the_servers_time_out(home):
    alice = Person("alice")
    alice.register(home.url)
    os.kill(home.pid, signal.SIGSTOP)
    try:
        words, seconds = refusal(home, lambda nonce: signed(alice, nonce))
    finally:
        os.kill(home.pid, signal.SIGCONT)
    assert words in (VIOLATION, "-ERR 'Authentication Timeout'")
    assert 1.5 < seconds < 4
    alice.connect(home.nats_url)


def test_a_login_ends_with_its_jwt(tmp_path):
    with HomeProcess.start(tmp_path / "home", extra_args=["--jwt-ttl", "1"]) as home:
        alice = Person("alice")
        alice.register(home.url)
        on_nats = alice.connect(home.nats_url)
        assert 0 < on_nats.ask_session()["jwt_expires_in"] <= 2
        assert on_nats.raw.wait_closed(5)
        assert on_nats.raw.errors == ["-ERR 'User Authentication Expired'"]
        alice.connect(home.nats_url)
        assert home.errors() == []


def test_hosts_are_checked_by_the_callout_itself(tmp_path):
    with HomeProcess.start(tmp_path / "home", extra_args=["--nats-client", "10.0.0.0/8"]) as home:
        alice = Person("alice")
        alice.register(home.url)
        words, _ = refusal(home, lambda nonce: signed(alice, nonce))
        assert words == VIOLATION


def test_a_rotated_key_speaks_for_the_identity_and_the_old_one_no_longer(home):
    alice, new = Person("alice"), Signer(Seed(secrets.token_bytes(32)))
    alice.register(home.url)
    chain = Chain.empty(alice.public)
    unsigned = event_payload(chain, "rotate", rotate(new.public), 1_800_000_000)
    payload = event_payload(chain, "rotate", rotate(new.public, new.rotate_consent(unsigned)), 1_800_000_000)
    body = encode_envelope(alice.signer.sigchain_event(payload))
    assert chain.append(decode_event(body)).current == new.public
    url = f"{home.url}/v1/sigchains/ed25519/{alice.public.hex}/events"
    assert httpx.post(url, content=body).status_code == 201
    words, _ = refusal(home, lambda nonce: signed(alice, nonce))
    assert words == VIOLATION
    raw = RawNats.login(home.nats_url, new.public.nkey, new.nats_nonce, alice.installation_id)
    inbox = f"_INBOX_{alice.public.hex}.x"
    raw.subscribe(inbox)
    body = json.dumps({"installation_id": alice.installation_id}).encode()
    answer = json.loads(raw.request(f"kez.rpc.{alice.public.hex}.session", body, inbox).data)
    assert answer["inbox"] == f"kez.inbox.{alice.public.hex}"


def ask_http(home, **question):
    return httpx.post(f"{home.internal_url}/internal/nats/auth", json=question)


def test_the_same_decision_over_http(shared_home, alice):
    nonce = "abcdefghijklmno"
    good = {
        "nkey": alice.public.nkey,
        "nonce": nonce,
        "sig": base64.b64encode(alice.signer.nats_nonce(nonce)).decode(),
    }
    admitted = ask_http(shared_home, **good, name=alice.installation_id)
    assert admitted.status_code == 200
    me = alice.public.hex
    body = admitted.json()
    assert (body["kind"], body["identity"], body["sending"]) == ("identity", me, True)
    assert body["subscribe"] == [f"_INBOX_{me}.>"]
    assert len([subject for subject in body["publish"] if subject.startswith("kez.inbox.*.*.")]) == 2
    refusals = {
        "bad_signature": good | {"nonce": "onmlkjihgfedcba"},
        "no_nkey": good | {"sig": ""},
        "connection_type": good | {"type": "mqtt"},
    }
    for reason, question in refusals.items():
        answer = ask_http(shared_home, **question)
        assert (answer.status_code, answer.json()["error"], answer.json()["reason"]) == (
            403,
            "refused",
            reason,
        )
    assert ask_http(shared_home, nkey="x").status_code == 400
    bad_text = httpx.post(f"{shared_home.internal_url}/internal/nats/auth", content=b'{"nkey":"\xff"}')
    assert bad_text.status_code == 400
    assert httpx.post(f"{shared_home.url}/internal/nats/auth", json=good).status_code == 404


def test_metrics_are_on_the_internal_listener_only(shared_home, alice):
    alice.connect(shared_home.nats_url)
    text = httpx.get(f"{shared_home.internal_url}/metrics").text
    assert 'kezd_home_nats_admitted_total{kind="identity"}' in text
    assert httpx.get(f"{shared_home.url}/metrics").status_code == 404
    assert alice.public.hex not in text


def test_logs_have_no_handles_and_no_keys(shared_home, alice):
    alice.connect(shared_home.nats_url).ask_session()
    httpx.get(f"{shared_home.url}/v1/u/alice")
    log = shared_home.log_path.read_text()
    for secret in ("alice", alice.public.hex, alice.public.nkey, alice.installation_id):
        assert secret not in log


def as_role(home, key):
    raw = RawNats.login(home.nats_url, key.public, lambda nonce: key.sign(nonce.encode()))
    raw.subscribe("_INBOX_test.x")
    raw.barrier()
    return raw


def question(signer, server, **changes):
    """An authorization request like nats-server's, signed by whoever."""
    body = {
        "type": "authorization_request", "server_id": {"id": server}, "user_nkey": signer.public,
        "client_info": {"nonce": "x" * 15, "type": "nats"}, "connect_opts": {"nkey": "U", "sig": "x"}, **changes,
    }  # fmt: skip
    return encode_jwt({"aud": "nats-authorization-request", "nats": body}, signer, 1).encode()


def test_only_the_server_asks_the_callout(shared_home):
    keys = load_keys(shared_home.directory / "keys")
    for key in (keys.callout, keys.home, keys.admin):
        raw = as_role(shared_home, key)
        answer = raw.request("$SYS.REQ.USER.AUTH", b"x", "_INBOX_test.x", timeout=0.5)
        assert answer is None or b" 503" in answer.headers
        assert bool(raw.errors) is (key is keys.callout), (
            "its account has a listener, and the server bars the way"
        )


def test_the_callout_answers_no_question_that_a_server_did_not_sign(tmp_path):
    """Behind the server's own bar: the callout on a subject that anybody may publish to."""
    key = NatsKey(Prefix.USER, secrets.token_bytes(32))
    with NatsServer.start(
        tmp_path / "nats", f"authorization {{ users: [ {{ nkey: {key.public} }} ] }}"
    ) as server:
        asyncio.run(ask_directly(server.url, key, tmp_path))


async def ask_directly(url, key, directory):
    server, user = NatsKey(Prefix.SERVER, bytes(32)), NatsKey(Prefix.USER, bytes(32))
    address, metrics = Address("127.0.0.1", 0), Metrics(CollectorRegistry())
    settings = Settings(
        Role.REGISTRY, directory, address, address, directory / "x", directory / "y", "kez.test"
    )
    async with SqliteFile.open(directory / "home.db", REGISTRY_MIGRATIONS) as file:
        stores = HomeStores(
            SqliteRegistryStore(file), SqliteSessionStore(file), SqliteTagKeyStore(file), None
        )
        side = NatsSide(settings, stores, SystemClock(), secrets.token_bytes, metrics)
        issuer = NatsKey(Prefix.ACCOUNT, secrets.token_bytes(32))
        callout = AuthCallout(side.gate, issuer, settings.limits, Grants(), SystemClock(), metrics)
        listen = [Subscription("auth", "callout", callout.on_message)]
        async with NatsLink.open("test", [url], key, listen) as link:
            answer = decode_jwt(await link.request("auth", question(server, server.public)), Prefix.ACCOUNT)
            assert answer["iss"] == issuer.public
            assert answer["nats"] == {"type": "authorization_response", "version": 2, "error": "refused"}
            token = question(server, server.public)
            for forged in (
                b"", b"garbage", b"a.b.c", question(user, server.public), token[:-8] + b"AAAAAAAA",
                encode_jwt({"aud": "somebody else"}, server, 1).encode(), question(server, server.public, type="x"),
                question(server, server.public, connect_opts=None), question(server, server.public, user_nkey=7),
            ):  # fmt: skip
                with pytest.raises(HomeUnavailableError):
                    await link.request("auth", forged, timeout=0.1)


def test_the_three_fixed_keys_reach_their_own_account_only(shared_home):
    keys = load_keys(shared_home.directory / "keys")
    for key, nats_subject, reachable in [
        (keys.callout, "$JS.API.INFO", False), (keys.callout, "$SYS.REQ.SERVER.PING.VARZ", False),
        (keys.home, "$SYS.REQ.SERVER.PING.VARZ", False), (keys.home, "$JS.API.STREAM.INFO.KEZ_INBOX", True),
        (keys.admin, "$JS.API.STREAM.INFO.KEZ_INBOX", False), (keys.admin, "$SYS.REQ.SERVER.PING.VARZ", True),
    ]:  # fmt: skip
        answer = as_role(shared_home, key).request(nats_subject, b"", "_INBOX_test.x", timeout=1)
        works = answer is not None and b"503" not in answer.headers and b'"error"' not in answer.data
        assert works is reachable, nats_subject
