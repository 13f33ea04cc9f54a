"""Sender tags and subjects."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import IdentifierError, KeyMaterialError
from kezd.kez.keys import PublicKey
from kezd.kez.sender_tag import inbox_prefix, inbox_subject, message_id, parse_device, sender_tag

RAW = st.binary(min_size=32, max_size=32)


@given(RAW, RAW)
def test_a_tag_is_what_the_protocol_says(day, raw):
    expected = hmac.new(day, b"kez-tag/1" + raw, hashlib.sha256).digest()[:8].hex()
    assert sender_tag(day, PublicKey(raw)) == expected


def test_vector(vectors, alice, bob):
    case = vectors("nats")
    tag = sender_tag(bytes.fromhex(case["day_key"]), alice.public)
    assert tag == case["tag"]
    assert inbox_prefix(bob.public) == case["inbox"]
    assert inbox_subject(bob.public, "0", tag) == case["subject"]
    assert message_id(bytes.fromhex(case["sealed"])) == case["message_id"]


def test_sizes_and_tokens(alice):
    with pytest.raises(KeyMaterialError):
        sender_tag(bytes(31), alice.public)
    for device in ("", "a.b", "*", ">", "A", "a b", "a" * 33, "é", None, 0, "0\n"):
        with pytest.raises(IdentifierError):
            parse_device(device)
        with pytest.raises(IdentifierError):
            inbox_subject(alice.public, device, "0" * 16)
    for tag in ("", "*", ">", "0" * 15, "0" * 17, "G" * 16, "A" * 16):
        with pytest.raises(IdentifierError):
            inbox_subject(alice.public, "0", tag)


@given(st.binary(max_size=50))
def test_message_ids(sealed):
    assert len(message_id(sealed)) == 32
    assert hashlib.sha256(sealed).hexdigest().startswith(message_id(sealed))
