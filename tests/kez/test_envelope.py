"""The signature envelope: exact members, pairs of kind and type, every bit counts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.envelope import (
    Envelope,
    EnvelopeKind,
    decode_envelope,
    encode_envelope,
    envelope_from_value,
    verify_envelope,
)
from kezd.kez.errors import EnvelopeError, KezError, SignatureError
from kezd.kez.handles import Handle
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import ALG_ED25519, Seed, SigningKey
from kezd.kez.registration import registration_payload
from kezd.kez.signing import Signer

KIND = EnvelopeKind.HANDLE_REGISTRATION
KEY = SigningKey(Seed(b"\x0a" * 32))
GOOD = Signer(Seed(b"\x0a" * 32)).registration(
    registration_payload(Handle("alice", "kez.lat"), KEY.public, 1_767_225_600)
)


def signed(payload, kind="handle_registration", key=None):
    sig = KEY.sign(canonicalize(payload)).hex()
    return Envelope(kind, payload, ALG_ED25519, key or payload.get("primary", "x"), sig)


def test_vectors(vectors):
    cases = vectors("envelopes")
    for case in cases["valid"]:
        envelope = decode_envelope(case["json"].encode())
        assert verify_envelope(envelope, case["kind"]).primary == envelope.key
        assert encode_envelope(envelope).decode() == case["jcs"]
    for case in cases["invalid"]:
        with pytest.raises(KezError) as caught:
            verify_envelope(decode_envelope(case["json"].encode()), case["kind"])
        assert caught.value.slug == case["slug"], case["why"]


@given(st.integers(0, len(encode_envelope(GOOD)) * 8 - 1))
def test_any_flipped_bit_fails(bit):
    data = bytearray(encode_envelope(GOOD))
    assert verify_envelope(decode_envelope(bytes(data)), KIND) == KEY.public
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KezError):
        verify_envelope(decode_envelope(bytes(data)), KIND)


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=4))
def test_unknown_members_of_a_payload_are_kept_and_signed(extra):
    payload = extra | GOOD.payload
    envelope = decode_envelope(encode_envelope(signed(payload)))
    assert verify_envelope(envelope, KIND) == KEY.public
    assert envelope.payload == payload
    assert decode_envelope(encode_envelope(envelope)) == envelope


def test_spaces_and_order_do_not_matter():
    spaced = json.dumps(dict(reversed(GOOD.to_value().items())), indent=3).encode()
    assert encode_envelope(decode_envelope(spaced)) == encode_envelope(GOOD)


@pytest.mark.parametrize("kind", [k for k in EnvelopeKind if k is not KIND])
def test_a_signature_for_one_kind_never_counts_for_another(kind):
    with pytest.raises(EnvelopeError, match="of kind"):
        verify_envelope(GOOD, kind)
    with pytest.raises(EnvelopeError, match="has the type"):
        verify_envelope(signed(GOOD.payload, kind.value), kind)
    with pytest.raises(EnvelopeError, match="has the type"):
        verify_envelope(signed(GOOD.payload | {"type": kind.payload_type}), KIND)


def test_kinds_and_types_pair_one_to_one():
    assert len({kind.payload_type for kind in EnvelopeKind}) == len(EnvelopeKind)
    with pytest.raises(EnvelopeError, match="no kind"):
        verify_envelope(GOOD, "greeting")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("version", 2),
        ("version", True),
        ("version", "1"),
        ("version", None),
        ("primary", 1),
        ("created_at", "yesterday"),
        ("created_at", 1),
    ],
)
def test_members_that_every_payload_has(member, value):
    with pytest.raises(EnvelopeError):
        verify_envelope(signed(GOOD.payload | {member: value}, key=KEY.public.primary), KIND)
    without = {name: v for name, v in GOOD.payload.items() if name != member}
    with pytest.raises(EnvelopeError):
        verify_envelope(signed(without, key=KEY.public.primary), KIND)


def test_key_and_algorithm():
    other = SigningKey(Seed(bytes(32))).public.primary
    with pytest.raises(EnvelopeError, match="not the payload's primary"):
        verify_envelope(signed(GOOD.payload, key=other), KIND)
    nostr = Envelope(GOOD.kind, GOOD.payload, "secp256k1-schnorr-sha256-jcs", GOOD.key, GOOD.sig)
    with pytest.raises(SignatureError, match="not taken"):
        verify_envelope(nostr, KIND)
    with pytest.raises(SignatureError):
        verify_envelope(signed(GOOD.payload | {"primary": other}), KIND)


def changed(**members):
    return GOOD.to_value() | members


def signature(**members):
    return changed(signature=GOOD.to_value()["signature"] | members)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        changed(extra=1),
        {"kez": "claim", "payload": {}},
        changed(kez=1),
        changed(payload=[]),
        changed(signature="x"),
        changed(signature={}),
        signature(extra=1),
        signature(alg=1),
        signature(alg=""),
        signature(alg="A"),
        signature(key=1),
        signature(key=""),
        signature(key="x" * 257),
        signature(sig=1),
        signature(sig=GOOD.sig.upper()),
        signature(sig=GOOD.sig[:-1]),
    ],
)
def test_other_members_are_refused(value):
    with pytest.raises(EnvelopeError):
        envelope_from_value(value)


def test_an_envelope_is_at_most_64_kib():
    with pytest.raises(EnvelopeError, match="at most"):
        encode_envelope(signed(GOOD.payload | {"x": "y" * 65_536}))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_envelope_or_a_typed_error(data):
    with pytest.raises(KezError):
        decode_envelope(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=9), v, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*EnvelopeKind, "x"]), JSON, JSON, JSON, JSON)
def test_any_json_in_its_place_is_a_typed_error(kind, payload, alg, key, sig):
    value = {"kez": kind, "payload": payload, "signature": {"alg": alg, "key": key, "sig": sig}}
    with pytest.raises(KezError):
        verify_envelope(envelope_from_value(value), KIND)
    with pytest.raises(KezError):
        verify_envelope(
            Envelope(kind, GOOD.payload | {"primary": payload}, ALG_ED25519, GOOD.key, "00" * 64), KIND
        )
