"""The chain: order, keys, rotation, forks, and its bytes."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezd.kez.encodings import compress, encode_base64url
from kezd.kez.envelope import Envelope, encode_envelope
from kezd.kez.errors import (
    CanonicalError,
    ConflictError,
    EncodingError,
    ForkError,
    KezError,
    RollbackError,
    SigchainError,
    SignatureError,
    StaleError,
)
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import ALG_ED25519, Seed, SigningKey
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain import (
    BUNDLE_PREFIX,
    MAX_CHAIN,
    Chain,
    Head,
    add,
    add_nats_endpoint,
    compare,
    decode_bundle,
    decode_event,
    decode_jsonl,
    encode_bundle,
    encode_jsonl,
    event_from_envelope,
    event_payload,
    rotate,
)
from kezd.kez.signing import Signer

NOW = 1_767_225_600
SIGNER = Signer(Seed(b"\x0a" * 32))
HEIR = Signer(Seed(b"\x0b" * 32))


def event(chain, op="add", members=None, signer=SIGNER, at=NOW):
    members = add("dns:kez.lat") if members is None else members
    return event_from_envelope(signer.sigchain_event(event_payload(chain, op, members, at)))


def grown(*subjects, signer=SIGNER):
    chain = Chain.empty(signer.public)
    for subject in subjects:
        chain = chain.append(event(chain, members=add(subject), signer=signer))
    return chain


def rotated(chain, signer=SIGNER, heir=HEIR, at=NOW):
    consent = heir.rotate_consent(event_payload(chain, "rotate", rotate(heir.public), at))
    return chain.append(event(chain, "rotate", rotate(heir.public, consent), signer, at))


def forged(payload, key=SIGNER, seed=b"\x0a" * 32):
    sig = SigningKey(Seed(seed)).sign(canonicalize(payload)).hex()
    return Envelope("sigchain_event", payload, ALG_ED25519, key.public.primary, sig)


CHAIN = grown("dns:kez.lat", "github:octocat", "ens:a.eth")


def test_vectors(vectors):
    cases = vectors("sigchain")
    for case in cases["valid"]:
        genesis = Signer(Seed(bytes.fromhex(case["seed"]))).public
        data = "".join(line + "\n" for line in case["jsonl"]).encode()
        chain = decode_jsonl(data, genesis)
        assert encode_jsonl(chain) == data
        assert chain.head == Head(len(case["jsonl"]), case["head"])
        assert chain.current.primary == case["current"]
        assert decode_bundle(case["bundle"], genesis) == chain
    for case in cases["invalid"]:
        genesis = Signer(Seed(bytes.fromhex(case["seed"]))).public
        with pytest.raises(KezError) as caught:
            decode_jsonl("".join(line + "\n" for line in case["jsonl"]).encode(), genesis)
        assert caught.value.slug == case["slug"], case["why"]


def test_a_chain_grows_without_changing():
    empty = Chain.empty(SIGNER.public)
    first = empty.append(event(empty))
    second = first.append(event(first, members=add("ens:a.eth")))
    assert (empty.head, empty.events, empty.subjects, empty.size) == (None, (), (), 0)
    assert first.head == Head(1, first.events[0].hash)
    assert second.events[1].prev == first.head.hash
    assert (len(first.subjects), len(second.subjects)) == (1, 2)
    assert second.size == len(encode_jsonl(second))
    assert second.holds(first.events[0])
    assert not first.holds(second.events[1])
    assert not second.holds(event(empty, members=add("ens:b.eth")))
    assert event_payload(SIGNER.public, "add", add("dns:kez.lat"), NOW) == first.events[0].envelope.payload


def test_what_does_not_follow_the_head_is_a_conflict():
    late = event(CHAIN)
    for chain in (grown("dns:kez.lat"), CHAIN.append(late), Chain.empty(SIGNER.public)):
        with pytest.raises(ConflictError) as caught:
            chain.append(late)
        head = chain.head
        assert (caught.value.seq, caught.value.hash) == ((head.seq, head.hash) if head else (0, None))
    other = grown("dns:a.example", "dns:b.example", "dns:c.example")
    with pytest.raises(ConflictError):
        CHAIN.append(event(other))


def test_only_the_current_key_signs():
    stranger = Signer(Seed(b"\x0c" * 32))
    theirs = grown("dns:kez.lat", signer=stranger)
    with pytest.raises(SigchainError, match="current key"):
        Chain.empty(SIGNER.public).append(theirs.events[0])
    payload = event_payload(SIGNER.public, "add", add("dns:kez.lat"), NOW)
    with pytest.raises(SignatureError):
        Chain.empty(SIGNER.public).append(event_from_envelope(forged(payload, seed=b"\x0c" * 32)))


def test_rotation():
    chain = rotated(CHAIN, at=NOW + 5)
    assert (chain.genesis, chain.current) == (SIGNER.public, HEIR.public)
    assert chain.retired_keys == ((SIGNER.public, NOW + 5),)
    assert CHAIN.retired_keys == ()
    with pytest.raises(SigchainError, match="current key"):
        chain.append(
            event_from_envelope(
                forged(
                    event_payload(chain, "add", add("ens:b.eth"), NOW) | {"primary": SIGNER.public.primary}
                )
            )
        )
    longer = chain.append(event(chain, members=add("ens:b.eth"), signer=HEIR))
    for key in (SIGNER.public, HEIR.public):
        endpoint = add_nats_endpoint("nats://localhost", inbox_prefix(key), [2])
        longer = longer.append(event(longer, "add_endpoint", endpoint, HEIR))
    assert decode_jsonl(encode_jsonl(longer), SIGNER.public) == longer


def test_a_rotation_needs_the_new_key():
    stranger = Signer(Seed(b"\x0c" * 32))
    payload = event_payload(CHAIN, "rotate", rotate(HEIR.public), NOW)
    consent = HEIR.rotate_consent(payload)
    other = HEIR.rotate_consent(payload | {"seq": 9})
    with pytest.raises(SignatureError):
        CHAIN.append(event(CHAIN, "rotate", rotate(HEIR.public, other)))
    with pytest.raises(SignatureError):
        CHAIN.append(event(CHAIN, "rotate", rotate(stranger.public, consent)))
    with pytest.raises(SigchainError, match="new_signature"):
        CHAIN.append(event_from_envelope(SIGNER.sigchain_event(payload)))


def test_a_rotation_goes_to_a_fresh_key():
    for chain, signer, heir in ((CHAIN, SIGNER, SIGNER), (rotated(CHAIN), HEIR, SIGNER)):
        with pytest.raises(SigchainError, match="has had"):
            rotated(chain, signer, heir)


def test_compare():
    longer = CHAIN.append(event(CHAIN))
    assert compare(CHAIN, longer, origin=True) is longer
    assert compare(CHAIN, grown("dns:kez.lat", "github:octocat", "ens:a.eth"), origin=False) is CHAIN
    with pytest.raises(RollbackError):
        compare(longer, CHAIN, origin=True)
    with pytest.raises(StaleError):
        compare(longer, CHAIN, origin=False)
    with pytest.raises(StaleError):
        compare(CHAIN, Chain.empty(SIGNER.public), origin=False)
    other = grown("dns:kez.lat", "github:someone")
    for known, offered in ((CHAIN, other), (other, longer)):
        for origin in (True, False):
            with pytest.raises(ForkError) as caught:
                compare(known, offered, origin=origin)
            assert caught.value.seq == 2
    with pytest.raises(SigchainError):
        compare(CHAIN, Chain.empty(HEIR.public), origin=True)


def test_a_second_signature_over_one_payload_is_no_fork():
    # A fork is two payloads; an event's hash also covers its signature.
    twin = Envelope(
        **{name: getattr(CHAIN.events[2].envelope, name) for name in ("kind", "payload", "alg", "key")},
        sig="00" * 64,
    )
    assert event_from_envelope(twin).payload_hash == CHAIN.events[2].payload_hash
    assert event_from_envelope(twin).hash != CHAIN.events[2].hash


BASE = event_payload(SIGNER.public, "add", add("dns:kez.lat"), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"seq": "1"},
        {"seq": True},
        {"seq": None},
        {"seq": 2},
        {"prev": "00" * 32},
        {"prev": 1, "seq": 2},
        {"prev": "00", "seq": 2},
        {"prev": "AA" * 32, "seq": 2},
        {"op": None},
        {"op": "Add"},
        {"op": ""},
        {"subject": None},
        {"version": 2},
        {"type": "kez.claim"},
        {"created_at": None},
    ],
)
def test_malformed_events_are_refused(change):
    assert decode_event(encode_envelope(forged(BASE))) == event_from_envelope(forged(BASE))
    with pytest.raises(KezError):
        decode_event(encode_envelope(forged(BASE | change)))


@pytest.mark.parametrize("name", ["prev", "seq", "op", "subject"])
def test_events_without_a_member_are_refused(name):
    with pytest.raises(SigchainError):
        decode_event(encode_envelope(forged({n: v for n, v in BASE.items() if n != name})))


@settings(max_examples=25)
@given(st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=6))
def test_bytes_round_trip(names):
    chain = grown(*(f"dns:{name}.example" for name in names))
    data = encode_jsonl(chain)
    assert decode_jsonl(data, SIGNER.public) == chain
    assert encode_jsonl(decode_jsonl(data, SIGNER.public)) == data
    assert decode_bundle(encode_bundle(chain), SIGNER.public) == chain


@given(st.integers(0, CHAIN.size * 8 - 1))
def test_any_flipped_bit_fails(bit):
    data = bytearray(encode_jsonl(CHAIN))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KezError):
        decode_jsonl(bytes(data), SIGNER.public)


def test_jsonl_is_canonical_or_refused():
    data = encode_jsonl(CHAIN)
    with pytest.raises(CanonicalError):
        decode_jsonl(data.replace(b'"payload":', b'"payload": ', 1), SIGNER.public)
    for bad in (
        data[:-1],
        data + b"\n",
        b"\n" + data,
        data.replace(b"\n", b"\r\n"),
        data + b"x" * 70_000 + b"\n",
    ):
        with pytest.raises(KezError):
            decode_jsonl(bad, SIGNER.public)
    lines = data.splitlines(keepends=True)
    for order in ((1, 0, 2), (0, 2), (0, 0, 1), (1, 2)):
        with pytest.raises(ConflictError):
            decode_jsonl(b"".join(lines[i] for i in order), SIGNER.public)


def test_a_chain_is_at_most_16_mib():
    with pytest.raises(SigchainError, match="at most"):
        decode_jsonl(bytes(MAX_CHAIN + 1), SIGNER.public)
    full = Chain(SIGNER.public, (), MAX_CHAIN, Chain.empty(SIGNER.public)._fold)
    with pytest.raises(SigchainError, match="at most"):
        full.append(event(SIGNER.public))


def test_a_bundle_of_a_bomb_is_an_error_not_memory():
    bomb = BUNDLE_PREFIX + encode_base64url(compress(bytes(256 * 1024 * 1024)))
    tracemalloc.start()
    with pytest.raises(EncodingError):
        decode_bundle(bomb, SIGNER.public)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_CHAIN + 1024 * 1024
    with pytest.raises(EncodingError):
        decode_bundle("kez:z1:AA", SIGNER.public)


@given(st.binary(max_size=200), st.text(max_size=100))
def test_anything_is_a_chain_or_a_typed_error(data, text):
    if data:
        with pytest.raises(KezError):
            decode_jsonl(data, SIGNER.public)
    with pytest.raises(KezError):
        decode_event(data)
    for bundle in (text, BUNDLE_PREFIX + text, BUNDLE_PREFIX + encode_base64url(data)):
        with pytest.raises(KezError):
            decode_bundle(bundle, SIGNER.public)
    assert decode_jsonl(b"", SIGNER.public) == Chain.empty(SIGNER.public)


def test_a_chain_keeps_bytes_and_not_what_they_parse_to():
    # Sixteen MiB of `[]` would be four hundred MiB of lists, for anybody who looks the stranger up.
    members = {"a": [[] for _ in range(20_000)]}
    payload = event_payload(SIGNER.public, "later", members, NOW)
    line = encode_envelope(SIGNER.sigchain_event(payload)) + b"\n"
    tracemalloc.start()
    chain = decode_jsonl(line, SIGNER.public)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 2 * len(line)
    assert chain.events[0].members == members
