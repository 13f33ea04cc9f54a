"""Sealed messages: round trip, every refusal, every flipped bit."""

import secrets
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezd.kez import sealed
from kezd.kez.errors import (
    CanonicalError,
    KeyMaterialError,
    KezError,
    NeedsNewerVersionError,
    SealedError,
    UnauthorisedSenderError,
    WrongRecipientError,
)
from kezd.kez.jcs import MAX_INT, canonicalize
from kezd.kez.keys import PublicKey, Seed
from kezd.kez.padding import pad, padded_size
from kezd.kez.sealed import MAX_ENVELOPE, MAX_JSON, open_sealed, seal
from kezd.kez.signing import Signer

EPHEMERAL = bytes(range(32))
ALICE, BOB = Signer(Seed(b"\x0a" * 32)), Signer(Seed(b"\x0b" * 32))
HEX = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
JSON = st.dictionaries(TEXT, TEXT | st.integers(-MAX_INT, MAX_INT) | st.lists(st.booleans()), max_size=4)
FULL = 65_518  # bytes of padded body in a full segment


def test_vectors(vectors):
    cases = vectors("sealed")
    recipient = Signer(Seed(bytes.fromhex(cases["recipient_seed"])))
    sender = Signer(Seed(bytes.fromhex(cases["sender_seed"])))
    for case in cases["valid"]:
        data = bytes.fromhex(case["sealed"])
        opened = open_sealed([recipient], data)
        assert opened.body == case["body"]
        assert opened.handshake_hash.hex() == case["handshake_hash"]
        ephemeral = bytes.fromhex(case["ephemeral"])
        assert seal(sender, recipient.public, case["body"], ephemeral) == data
    for case in cases["invalid"]:
        with pytest.raises(KezError) as caught:
            open_sealed([recipient], bytes.fromhex(case["sealed"]))
        assert caught.value.slug == case["slug"], case["why"]


@given(HEX, HEX, st.integers(1, MAX_INT), JSON, st.binary(min_size=32, max_size=32))
def test_round_trip(id_, stream, n, content, ephemeral):
    body = {
        "v": 2,
        "id": id_,
        "from": ALICE.public.primary,
        "from_device": "0",
        "to": BOB.public.primary,
        "stream": stream,
        "n": n,
        "sent_at": "2026-01-01T00:00:00Z",
        "kind": "text",
        "body": content,
    }
    data = seal(ALICE, BOB.public, body, ephemeral)
    opened = open_sealed([BOB], data)
    assert opened.body == body
    assert (opened.sender, opened.recipient) == (ALICE.public, BOB.public)
    assert opened.sender_static == ALICE.x25519_public()
    assert seal(ALICE, BOB.public, body, ephemeral) == data


@pytest.mark.parametrize(
    "size", [1, 100, 60_000, FULL - 700, 64_000, 65_000, 100_000, 130_000, 131_000, 191_000]
)
def test_sizes_hide_and_segments_join(message, size):
    message["body"] = {"x": "y" * size}
    data = seal(ALICE, BOB.public, message, EPHEMERAL)
    assert open_sealed([BOB], data).body == message
    message["body"] = {"x": "y" * (size - 1)}
    padded = padded_size(4 + len(canonicalize(message | {"sig": "0" * 128})))
    segments = -(-padded // FULL)
    assert len(seal(ALICE, BOB.public, message, EPHEMERAL)) == 97 + padded + segments * 19


def test_the_largest_message(message):
    message["body"] = {"x": ""}
    room = MAX_JSON - len(canonicalize(message | {"sig": "0" * 128}))
    message["body"] = {"x": "y" * room}
    data = seal(ALICE, BOB.public, message, EPHEMERAL)
    assert len(data) <= MAX_ENVELOPE
    assert open_sealed([BOB], data).body == message
    message["body"] = {"x": "y" * (room + 1)}
    with pytest.raises(SealedError, match="at most"):
        seal(ALICE, BOB.public, message, EPHEMERAL)
    # One byte more could not be padded within the envelope.
    assert 97 + padded_size(4 + MAX_JSON + 1) + 3 * 19 > MAX_ENVELOPE


@settings(max_examples=300)
@given(st.data())
def test_any_flipped_bit_fails(data):
    message = {
        "v": 2,
        "id": "00" * 16,
        "from": ALICE.public.primary,
        "from_device": "0",
        "to": BOB.public.primary,
        "stream": "00" * 16,
        "n": 1,
        "sent_at": "2026-01-01T00:00:00Z",
        "kind": "text",
        "body": {"text": "x"},
    }
    good = bytearray(seal(ALICE, BOB.public, message, EPHEMERAL))
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    good[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KezError):
        open_sealed([BOB], bytes(good))


def test_truncation_and_trailing_bytes(message):
    message["body"] = {"x": "y" * 100_000}
    data = seal(ALICE, BOB.public, message, EPHEMERAL)
    cut = 97 + 2 + 1 + FULL + 16
    for bad in (
        data[:cut],
        data[: cut + 1],
        data[: cut + 2],
        data[:-1],
        data[:97],
        data[:96],
        data + b"\x00",
        data + data[97:],
    ):
        with pytest.raises(SealedError):
            open_sealed([BOB], bad)
    swapped = data[:97] + data[cut:] + data[97:cut]
    with pytest.raises(SealedError):
        open_sealed([BOB], swapped)


def test_versions(message):
    data = seal(ALICE, BOB.public, message, EPHEMERAL)
    for version in (0, 1, 3, 255):
        with pytest.raises(NeedsNewerVersionError) as caught:
            open_sealed([BOB], bytes([version]) + data[1:])
        assert caught.value.version == version
    with pytest.raises(SealedError):
        open_sealed([BOB], b"")
    with pytest.raises(SealedError, match="bytes"):
        open_sealed([BOB], data + bytes(MAX_ENVELOPE))


def test_a_body_of_a_newer_version(message, forger):
    with pytest.raises(NeedsNewerVersionError) as caught:
        open_sealed([BOB], forger.body(ALICE, BOB.public, message | {"v": 3}))
    assert caught.value.version == 3


def test_a_retired_key_still_opens(message, carol):
    data = seal(ALICE, BOB.public, message, EPHEMERAL)
    assert open_sealed([carol, BOB], data).recipient == BOB.public
    for others in ([], [carol], [ALICE, carol]):
        with pytest.raises(SealedError, match="another key"):
            open_sealed(others, data)


def test_mail_for_somebody_else(message, forger, carol):
    forwarded = forger.body(ALICE, BOB.public, message | {"to": carol.public.primary})
    with pytest.raises(WrongRecipientError):
        open_sealed([BOB], forwarded)
    negative = PublicKey(BOB.public.raw[:31] + bytes([BOB.public.raw[31] ^ 0x80]))
    with pytest.raises(WrongRecipientError):
        open_sealed([BOB], forger.body(ALICE, BOB.public, message | {"to": negative.primary}))
    without = {name: value for name, value in message.items() if name != "to"}
    with pytest.raises(WrongRecipientError):
        open_sealed([BOB], forger.body(ALICE, BOB.public, without))


def test_forged_senders(message, forger, carol):
    # Carol seals with her own key and says that Alice wrote.
    with pytest.raises(UnauthorisedSenderError):
        open_sealed([BOB], forger.body(carol, BOB.public, message))
    # Alice's handshake, but Carol's signature.
    with pytest.raises(SealedError, match="signature"):
        open_sealed([BOB], forger.body(ALICE, BOB.public, message, signer=carol))
    # The negative of Alice's key has the same X25519 key and cannot sign.
    negative = PublicKey(ALICE.public.raw[:31] + bytes([ALICE.public.raw[31] ^ 0x80]))
    with pytest.raises(SealedError, match="signature"):
        open_sealed([BOB], forger.body(ALICE, BOB.public, message | {"from": negative.primary}))
    for sender in (None, "alice", "ed25519:" + "00" * 32, "ed25519:01" + "00" * 31):
        with pytest.raises(UnauthorisedSenderError):
            open_sealed([BOB], forger.body(ALICE, BOB.public, message | {"from": sender}))


def test_a_signature_is_bound_to_its_handshake(message, forger, carol):
    content = forger.content(ALICE, message, bytes(32))
    with pytest.raises(SealedError, match="signature"):
        open_sealed([BOB], forger.raw(ALICE, BOB.public, content))


@pytest.mark.parametrize("sig", [None, 1, "", "00" * 63, "AA" * 64, "00" * 64])
def test_bad_signatures(message, forger, sig):
    with pytest.raises(SealedError, match="signature"):
        open_sealed([BOB], forger.raw(ALICE, BOB.public, canonicalize(message | {"sig": sig})))
    with pytest.raises(SealedError, match="signature"):
        open_sealed([BOB], forger.raw(ALICE, BOB.public, canonicalize(message)))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"1", b'{"a":1,"a":1}', b'{"a":1.5}', b"\xff", b"[" * 100]
)
def test_bodies_that_are_no_object(forger, content):
    with pytest.raises(SealedError, match="body"):
        open_sealed([BOB], forger.raw(ALICE, BOB.public, content))


BAD_MEMBERS = [
    ("v", 1),
    ("v", "2"),
    ("v", True),
    ("v", None),
    ("id", "00" * 15),
    ("id", "AA" * 16),
    ("id", 1),
    ("stream", "x"),
    ("stream", None),
    ("kind", ""),
    ("kind", "Text!"),
    ("kind", None),
    ("n", 0),
    ("n", "1"),
    ("n", True),
    ("n", -1),
    ("body", "x"),
    ("body", None),
    ("from_device", "a.b"),
    ("from_device", None),
    ("sent_at", "now"),
    ("sent_at", None),
]


@pytest.mark.parametrize(("name", "value"), BAD_MEMBERS)
def test_bad_members_are_refused_at_both_ends(message, forger, name, value):
    bad = message | {name: value}
    with pytest.raises(SealedError):
        seal(ALICE, BOB.public, bad, EPHEMERAL)
    with pytest.raises(SealedError):
        open_sealed([BOB], forger.body(ALICE, BOB.public, bad))
    without = {n: v for n, v in message.items() if n != name}
    with pytest.raises(SealedError):
        open_sealed([BOB], forger.body(ALICE, BOB.public, without))


def test_unknown_members_and_kinds_are_kept(message, forger):
    newer = message | {"kind": "hologram-v7", "reply_to": "x"}
    assert open_sealed([BOB], seal(ALICE, BOB.public, newer, EPHEMERAL)).body == newer


def test_padding_is_exact_and_zero(message, forger):
    handshake, handshake_hash, key = forger.handshake(ALICE, BOB.public)
    padded = pad(forger.content(ALICE, message, handshake_hash))
    assert open_sealed([BOB], forger.segments(handshake, key, b"\x01" + padded)).body == message
    for bad in (padded[:-1] + b"\x01", padded[:-1], padded + bytes(32), padded + bytes(len(padded))):
        with pytest.raises(SealedError):
            open_sealed([BOB], forger.segments(handshake, key, b"\x01" + bad))


def test_segments_have_one_division(message, forger):
    handshake, handshake_hash, key = forger.handshake(ALICE, BOB.public)
    padded = pad(forger.content(ALICE, message, handshake_hash))
    half = len(padded) // 2
    for plaintexts in (
        (b"\x00" + padded,),
        (b"\x02" + padded,),
        (b"\x01" + padded[:half], b"\x01" + padded[half:]),
        (b"\x00" + padded[:half], b"\x00" + padded[half:]),
        (b"\x00" + padded[:half], b"\x01" + padded[half:]),
        (b"\x00" + padded, b"\x01"),
        (b"\x01" + padded, b"\x01"),
        (b"\x01" + padded, b""),
        (b"", b"\x01" + padded),
    ):
        with pytest.raises(SealedError, match="segments"):
            open_sealed([BOB], forger.segments(handshake, key, *plaintexts))
    message["body"] = {"x": "y" * 65_000}
    content = forger.content(ALICE, message, handshake_hash)
    padded = pad(content)
    assert len(padded) > FULL
    good = forger.segments(handshake, key, b"\x00" + padded[:FULL], b"\x01" + padded[FULL:])
    assert open_sealed([BOB], good).body == message


def test_what_seal_refuses(message, carol):
    with pytest.raises(SealedError, match="addressed"):
        seal(ALICE, carol.public, message, EPHEMERAL)
    with pytest.raises(SealedError, match="cannot be sealed"):
        seal(carol, BOB.public, message, EPHEMERAL)
    with pytest.raises(SealedError, match="cannot be sealed"):
        seal(ALICE, BOB.public, message | {"sig": "x"}, EPHEMERAL)
    with pytest.raises(NeedsNewerVersionError):
        seal(ALICE, BOB.public, message | {"v": 3}, EPHEMERAL)
    with pytest.raises(CanonicalError):
        seal(ALICE, BOB.public, message | {"body": {"x": 1.5}}, EPHEMERAL)
    with pytest.raises(KeyMaterialError):
        seal(ALICE, BOB.public, message, EPHEMERAL[:-1])
    weak = PublicKey(bytes(32))
    with pytest.raises(KeyMaterialError):
        seal(ALICE, weak, message | {"to": weak.primary}, EPHEMERAL)


def test_a_message_does_not_tell_who_wrote_it(message, carol):
    data = seal(ALICE, BOB.public, message, secrets.token_bytes(32))
    for known in (ALICE.public.raw, ALICE.x25519_public(), BOB.public.raw, BOB.x25519_public(), b"hello"):
        assert known not in data


def test_hostile_lengths_cost_no_memory(forger):
    handshake, _, _ = forger.handshake(ALICE, BOB.public)
    hostile = [
        b"\x02" + handshake + b"\x00\x00" * 90_000,
        b"\x02" + handshake + b"\xff\xff" * 90_000,
        forger.padded(ALICE, BOB.public, b"\xff\xff\xff\xff" + bytes(508)),
    ]
    for data in hostile:
        tracemalloc.start()
        with pytest.raises(SealedError):
            open_sealed([BOB], data)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
        tracemalloc.stop()


@given(st.binary(max_size=1000))
def test_any_bytes_are_a_typed_error(data):
    for sealed_bytes in (data, b"\x02" + data, b"\x02" + data + bytes(700)):
        with pytest.raises(KezError):
            open_sealed([BOB], sealed_bytes)


@settings(max_examples=100)
@given(content=st.binary(max_size=600))
def test_any_content_of_a_known_sender_is_a_typed_error(forger, content):
    with pytest.raises(KezError):
        open_sealed([BOB], forger.raw(ALICE, BOB.public, content))
    with pytest.raises(KezError):
        open_sealed([BOB], forger.padded(ALICE, BOB.public, content))


def test_constants_are_those_of_the_protocol():
    assert (sealed.VERSION, sealed.MAX_ENVELOPE, sealed.PROLOGUE) == (2, 196_608, b"kez-chat/2")
