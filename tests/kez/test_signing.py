"""The table of key uses is total, the signer has nothing beside it, and only the right rooms ask."""

import ast
import copy
import inspect
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kezd
from kezd.kez.envelope import EnvelopeKind
from kezd.kez.errors import EnvelopeError, KeyMaterialError, SignatureError
from kezd.kez.handles import Handle
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import Seed, SigningKey, derive_seed
from kezd.kez.registration import registration_payload
from kezd.kez.sigchain import event_payload, rotate
from kezd.kez.signing import BODY_PREFIX, FOLLOW_PREFIX, GUEST_PREFIX, ROTATE_PREFIX, SIGNATURE_KINDS, Signer

ROOT = Path(kezd.__file__).parent
# Rooms that may ask for each use; the words of the table, in paths.
CALLERS = {
    "follow_snapshot": ("services/claims/",),
    "rotate_consent": ("services/",),
    "sigchain_event": ("services/",),
    "body_signature": ("kez/sealed.py",),
    "nats_nonce": ("net/",),
    "nats_guest": ("net/", "services/", "daemon/"),
    "diffie_hellman": ("kez/noise.py", "kez/signing.py"),
    "static_secret": ("kez/noise.py",),
}


# The home server signs NATS tokens with keys of its own, which are nobody's identity.
BARE_KEY = {"kez/signing.py", "home/nats_keys.py"}


def public_methods(cls):
    return {name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")}


def test_the_table_is_total():
    kinds = [row.kind for row in SIGNATURE_KINDS]
    assert len(kinds) == len(set(kinds))
    assert public_methods(Signer) == set(kinds) | {"x25519_public"}
    assert all(row.who and row.type for row in SIGNATURE_KINDS)


def test_there_is_no_way_to_sign_bytes_of_ones_choice():
    for name in public_methods(Signer):
        assert name not in {"sign", "sign_bytes", "sign_raw"}
    for row in SIGNATURE_KINDS:
        assert getattr(Signer, row.kind).__doc__


def calls(tree):
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def names(tree):
    found = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return found | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_only_the_right_rooms_ask():
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).as_posix()
        if room.startswith("testing/"):  # forgers for the tests of others
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for use in calls(tree) & CALLERS.keys():
            assert room.startswith(CALLERS[use]), f"{room} asks for {use}"
        if "SigningKey" in names(tree):
            assert room in BARE_KEY, f"{room} reaches for the bare key"


def test_no_two_uses_can_sign_the_same_bytes(alice):
    prefixes = [ROTATE_PREFIX, BODY_PREFIX]
    assert all(len(p) < 15 and p[-1] == 0 and p[:1] != b"{" for p in prefixes)
    assert not prefixes[0].startswith(prefixes[1])
    assert not prefixes[1].startswith(prefixes[0])
    assert canonicalize({"type": "x"}).startswith(b"{")
    # A NATS nonce is fifteen of an alphabet without NUL and without an opening brace.
    with pytest.raises(KeyMaterialError):
        alice.nats_nonce("{" + "a" * 14)


@given(st.from_regex(r"[A-Za-z0-9_-]{15}", fullmatch=True))
def test_a_nats_nonce_is_answered(nonce):
    signer = Signer(Seed(bytes(32)))
    signer.public.verify(nonce.encode(), signer.nats_nonce(nonce))


@pytest.mark.parametrize(
    "nonce",
    [
        "",
        "a" * 14,
        "a" * 16,
        "a" * 15 + "\n",
        "a" * 14 + "=",
        "é" * 15,
        '{"sigchain":"a"',
        "a" * 14 + "\u0661",
    ],
)
def test_another_nonce_is_not(nonce, alice):
    with pytest.raises(KeyMaterialError):
        alice.nats_nonce(nonce)


def test_a_registration_is_signed_for_oneself_only(alice, bob):
    payload = registration_payload(Handle("alice", "kez.lat"), alice.public, 0)
    assert alice.registration(payload).kind == EnvelopeKind.HANDLE_REGISTRATION
    with pytest.raises(EnvelopeError):
        bob.registration(payload)
    with pytest.raises(EnvelopeError):
        alice.sigchain_event(payload)
    with pytest.raises(EnvelopeError):
        alice.registration({})


def test_consent_is_given_to_a_rotation_to_oneself_only(alice, bob):
    payload = event_payload(alice.public, "rotate", rotate(bob.public), 0)
    consent = bob.rotate_consent(payload)
    bob.public.verify(ROTATE_PREFIX + canonicalize(payload), bytes.fromhex(consent["sig"]))
    for bad in (
        payload | {"op": "add"},
        payload | {"new_primary": alice.public.primary},
        payload | {"new_signature": consent},
        payload | {"type": "kez.claim"},
    ):
        with pytest.raises(EnvelopeError):
            bob.rotate_consent(bad)


def test_a_body_is_signed_for_oneself_only(alice, bob, message):
    signature = alice.body_signature(bytes(32), message)
    alice.public.verify(BODY_PREFIX + bytes(32) + canonicalize(message), bytes.fromhex(signature))
    with pytest.raises(EnvelopeError):
        bob.body_signature(bytes(32), message)
    with pytest.raises(EnvelopeError):
        alice.body_signature(bytes(32), message | {"sig": ""})
    with pytest.raises(KeyMaterialError):
        alice.body_signature(bytes(31), message)


def test_key_agreement_gives_one_secret(alice, bob):
    assert alice.diffie_hellman(bob.x25519_public()) == bob.static_secret(alice.x25519_public())
    assert alice.x25519_public() == alice.public.x25519()
    for exchange in (alice.diffie_hellman, alice.static_secret):
        with pytest.raises(KeyMaterialError):
            exchange(bytes(32))


def test_a_guest_is_another_key_for_each_home(alice):
    guest = alice.nats_guest("kez.lat")
    seed = derive_seed(Seed(b"\x0a" * 32), GUEST_PREFIX + b"kez.lat")
    assert guest.public == SigningKey(seed).public
    assert len({alice.public, guest.public, alice.nats_guest("b.example").public}) == 3


def test_guest_vector(vectors, alice):
    case = vectors("nats")
    assert alice.public.nkey == case["nkey"]
    assert alice.nats_guest(case["guest_host"]).public.nkey == case["guest_nkey"]


def test_a_signer_does_not_show_or_travel(alice):
    assert (b"\x0a" * 32).hex() not in repr(alice)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(alice)


def test_a_snapshot_is_signed_under_its_own_prefix():
    signer = Signer(Seed(b"\x05" * 32))
    signature = signer.follow_snapshot({"primary": "x", "a": 1})
    signer.public.verify(FOLLOW_PREFIX + b'{"a":1,"primary":"x"}', signature)
    with pytest.raises(SignatureError):
        signer.public.verify(b'{"a":1,"primary":"x"}', signature)
