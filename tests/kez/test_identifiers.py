"""Identifiers, primaries and bech32."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez import bech32
from kezd.kez.errors import IdentifierError, KeyMaterialError, KezError
from kezd.kez.identifiers import Identifier, format_identifier, parse_identifier, parse_primary

RAW = st.binary(min_size=32, max_size=32)


def test_vectors(vectors):
    cases = vectors("identifiers")
    for case in cases["valid"]:
        found = parse_identifier(case["text"])
        assert str(found) == case["normal"]
        assert parse_identifier(case["normal"]) == found
    for case in cases["invalid"]:
        with pytest.raises(IdentifierError):
            parse_identifier(case["text"])


@given(st.text(max_size=300))
def test_any_text_is_an_identifier_in_one_form_or_a_typed_error(text):
    try:
        found = parse_identifier(text)
    except IdentifierError:
        return
    assert parse_identifier(format_identifier(found)) == found


@given(st.sampled_from(["github:", "dns:", "ap:", "bluesky:@", "did:", "nostr:npub1", "ed25519:"]), st.text())
def test_any_value_of_a_system_is_one_form_or_a_typed_error(system, text):
    try:
        found = parse_identifier(system + text)
    except IdentifierError:
        return
    assert parse_identifier(str(found)) == found


def test_primaries(alice):
    assert parse_primary(alice.public.primary) == alice.public
    for text in (
        None,
        7,
        "",
        alice.public.hex,
        "ed25519:",
        "ed25519:" + alice.public.hex.upper(),
        "nostr:npub1",
    ):
        with pytest.raises(IdentifierError):
            parse_primary(text)
    with pytest.raises(KeyMaterialError):
        parse_primary("ed25519:" + "00" * 32)


@given(st.text())
def test_a_primary_is_good_or_a_typed_error(text):
    with pytest.raises(KezError):
        parse_primary("ed25519:" + text + "x")


def test_npub_of_nip_19():
    # NIP-19's own example.
    raw = bytes.fromhex("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e")
    text = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    assert bech32.encode_key("npub", raw) == text
    assert bech32.decode_key("npub", text) == raw


@given(RAW, st.integers(5, 62), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_bech32_round_trip_and_one_symbol_off(raw, place, symbol):
    text = bech32.encode_key("npub", raw)
    assert bech32.decode_key("npub", text) == raw
    other = text[:place] + symbol + text[place + 1 :]
    if other != text:
        with pytest.raises(IdentifierError):
            bech32.decode_key("npub", other)


def test_bech32_of_wrong_form():
    text = bech32.encode_key("npub", bytes(32))
    for bad in ("", text[:-1], "nsec" + text[4:], text[:-1] + "b", text[:-1] + "1"):
        with pytest.raises(IdentifierError):
            bech32.decode_key("npub", bad)
    with pytest.raises(IdentifierError):
        bech32.encode_key("npub", bytes(31))


def test_identifiers_are_values():
    assert {Identifier("dns", "kez.lat"), parse_identifier("DNS:KEZ.LAT.")} == {Identifier("dns", "kez.lat")}
