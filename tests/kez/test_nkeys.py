"""nkeys against the package `nkeys` of the NATS project."""

import nkeys as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import KeyMaterialError
from kezd.kez.keys import Seed, SigningKey
from kezd.kez.nkeys import Prefix, _encode, decode_public, decode_seed, encode_public, encode_seed

RAW = st.binary(min_size=32, max_size=32)
ROLES = {
    Prefix.USER: (oracle.PREFIX_BYTE_USER, "U"),
    Prefix.ACCOUNT: (oracle.PREFIX_BYTE_ACCOUNT, "A"),
    Prefix.SERVER: (oracle.PREFIX_BYTE_SERVER, "N"),
    Prefix.CLUSTER: (oracle.PREFIX_BYTE_CLUSTER, "C"),
    Prefix.OPERATOR: (oracle.PREFIX_BYTE_OPERATOR, "O"),
}


@given(RAW, st.sampled_from(sorted(ROLES)))
def test_the_nats_package_agrees(raw, role):
    byte, letter = ROLES[role]
    seed = encode_seed(role, raw)
    assert seed == oracle.encode_seed(raw, prefix=byte).decode()
    assert decode_seed(seed) == (role, raw)
    pair = oracle.from_seed(seed.encode())
    public = SigningKey(Seed(raw)).public
    assert encode_public(role, public.raw) == pair.public_key.decode()
    assert encode_public(role, public.raw)[0] == letter
    assert bytes(pair.sign(b"nonce")) == SigningKey(Seed(raw)).sign(b"nonce")


@given(RAW, st.sampled_from(Prefix))
def test_round_trip(raw, role):
    text = encode_public(role, raw)
    assert len(text) == 56
    assert decode_public(text) == decode_public(text, role) == raw
    assert decode_seed(encode_seed(role, raw)) == (role, raw)


@given(RAW, st.integers(0, 55), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_any_other_letter_fails(raw, place, letter):
    text = encode_public(Prefix.USER, raw)
    other = text[:place] + letter + text[place + 1 :]
    if other != text:
        with pytest.raises(KeyMaterialError):
            decode_public(other)


@given(RAW, st.integers(0, 57), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_any_other_letter_of_a_seed_fails_and_is_not_told(raw, place, letter):
    text = encode_seed(Prefix.USER, raw)
    other = text[:place] + letter + text[place + 1 :]
    if other != text:
        with pytest.raises(KeyMaterialError) as caught:
            decode_seed(other)
        assert text[2:20] not in str(caught.value)


def test_wrong_roles_and_forms():
    user = encode_public(Prefix.USER, bytes(32))
    with pytest.raises(KeyMaterialError, match="role USER, not ACCOUNT"):
        decode_public(user, Prefix.ACCOUNT)
    for text in ("", user[:-1], user + "A", user.lower(), "é" * 56, "U" * 56, "1" * 56):
        with pytest.raises(KeyMaterialError):
            decode_public(text)
    for text in ("", user, "é" * 58, "S" * 58):
        with pytest.raises(KeyMaterialError):
            decode_seed(text)
    for encode in (encode_public, encode_seed):
        with pytest.raises(KeyMaterialError):
            encode(Prefix.USER, bytes(31))


def test_checksummed_text_of_an_unknown_role_is_refused():
    with pytest.raises(KeyMaterialError, match="unknown role"):
        decode_public(_encode(bytes([1 << 3]) + bytes(32)))
    with pytest.raises(KeyMaterialError, match="unknown role"):
        decode_seed(_encode(bytes([18 << 3, 1 << 3]) + bytes(32)))
    for head in ((17 << 3, 0), (18 << 3, 1)):
        with pytest.raises(KeyMaterialError, match="not a seed"):
            decode_seed(_encode(bytes(head) + bytes(32)))
