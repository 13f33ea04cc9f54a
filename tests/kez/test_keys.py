"""Keys: RFC 8032 vectors, libsodium's strictness, conversion to X25519, secrets that stay secret."""

import copy
import hashlib
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult

from kezd.kez import keys
from kezd.kez.errors import KeyMaterialError, SignatureError
from kezd.kez.keys import PublicKey, Seed, SigningKey, X25519Key, derive_seed

SEED = bytes(range(32))


def test_rfc_8032_vectors(vectors):
    for case in vectors("ed25519")["valid"]:
        key = SigningKey(Seed(bytes.fromhex(case["seed"])))
        message = bytes.fromhex(case["message"])
        assert key.public.hex == case["public"]
        assert key.sign(message).hex() == case["signature"]
        PublicKey.from_hex(case["public"]).verify(message, bytes.fromhex(case["signature"]))


def test_a_signature_with_non_canonical_s_is_refused(vectors):
    order = int(vectors("ed25519")["group_order"])
    key = SigningKey(Seed(SEED))
    good = key.sign(b"x")
    bent = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(SignatureError):
        key.public.verify(b"x", bent)


def test_keys_of_small_order_neither_verify_nor_convert(vectors):
    for text in vectors("ed25519")["small_order"]:
        key = PublicKey.from_hex(text)
        for signature in (key.raw + bytes(32), bytes.fromhex("01" + "00" * 63)):
            with pytest.raises(SignatureError):
                key.verify(b"x", signature)
        with pytest.raises(KeyMaterialError):
            key.x25519()


def test_a_key_off_the_curve_does_not_convert():
    with pytest.raises(KeyMaterialError):
        PublicKey(b"\x02" + bytes(31)).x25519()


@given(st.binary(max_size=64), st.integers(0, 511))
def test_any_flipped_bit_of_a_signature_fails(message, bit):
    key = SigningKey(Seed(SEED))
    signature = bytearray(key.sign(message))
    key.public.verify(message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        key.public.verify(message, bytes(signature))


def test_a_signature_of_another_size_is_refused():
    with pytest.raises(SignatureError):
        SigningKey(Seed(SEED)).public.verify(b"", bytes(63))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_both_sides_share_one_secret(a, b):
    left, right = SigningKey(Seed(a)), SigningKey(Seed(b))
    secret = left.diffie_hellman(right.public.x25519())
    assert secret == right.diffie_hellman(left.public.x25519())
    assert secret == crypto_scalarmult(left.x25519_private(), right.public.x25519())
    assert secret == X25519Key(left.x25519_private()).diffie_hellman(right.public.x25519())


@pytest.mark.parametrize("remote", [bytes(32), b"\x01" + bytes(31), bytes(31), bytes(33)])
def test_a_remote_key_without_a_secret_is_refused(remote):
    with pytest.raises(KeyMaterialError):
        SigningKey(Seed(SEED)).diffie_hellman(remote)
    with pytest.raises(KeyMaterialError):
        X25519Key(SEED).diffie_hellman(remote)


def test_a_key_and_its_negative_share_one_x25519_key():
    key = SigningKey(Seed(SEED)).public
    negative = PublicKey(key.raw[:31] + bytes([key.raw[31] ^ 0x80]))
    assert negative != key
    assert negative.x25519() == key.x25519()


def test_forms_of_a_public_key():
    key = SigningKey(Seed(bytes(32))).public
    assert key.primary == "ed25519:" + key.hex
    assert PublicKey.from_hex(key.hex) == key
    assert hash(PublicKey.from_hex(key.hex)) == hash(key)
    assert key.nkey.startswith("U")
    for text in ("", "00", key.hex.upper(), key.hex + "0", "ed25519:" + key.hex, key.hex[:-1] + "\n"):
        with pytest.raises(KeyMaterialError):
            PublicKey.from_hex(text)
    with pytest.raises(KeyMaterialError):
        PublicKey(bytes(31))


@pytest.mark.parametrize("make", [Seed, X25519Key, lambda raw: SigningKey(Seed(raw))])
def test_secrets_do_not_show_or_travel(make):
    secret = make(SEED)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert SEED.hex() not in text
        assert repr(SEED) not in text
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(secret)
    with pytest.raises(KeyMaterialError):
        make(SEED[:-1])


def test_seeds_compare_by_content_and_do_not_hash():
    assert Seed(SEED) == Seed(SEED)
    assert Seed(SEED) != Seed(bytes(32))
    assert Seed(SEED) != SEED
    assert Seed(SEED).reveal() == SEED
    with pytest.raises(TypeError):
        hash(Seed(SEED))


def test_derived_seeds_are_hkdf_and_differ_by_purpose():
    extracted = hmac.digest(bytes(32), SEED, hashlib.sha256)
    expected = hmac.digest(extracted, b"kez/x\x01", hashlib.sha256)
    assert derive_seed(Seed(SEED), b"kez/x").reveal() == expected
    assert derive_seed(Seed(SEED), b"kez/y") != derive_seed(Seed(SEED), b"kez/x")


def test_the_module_offers_no_randomness():
    assert not [name for name in dir(keys) if "random" in name or "generate" in name]
