"""Noise X: the published vector, both directions, damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import NoiseError
from kezd.kez.keys import X25519Key
from kezd.kez.noise import MAX_MESSAGE, OVERHEAD, read_message_x, read_x, write_message_x, write_x

KEY = st.binary(min_size=32, max_size=32)
PROLOGUE = b"test"
A, B, E = bytes([1] * 32), bytes([2] * 32), bytes([3] * 32)
A_PUBLIC, B_PUBLIC = X25519Key(A).public, X25519Key(B).public


def test_published_vector(vectors):
    v = {name: bytes.fromhex(text) for name, text in vectors("noise_x").items() if name != "source"}
    static = v["initiator_static"]
    message, handshake_hash, _ = write_message_x(
        v["prologue"],
        static,
        X25519Key(static).public,
        v["initiator_ephemeral"],
        v["responder_public"],
        v["payload"],
    )
    assert message == v["message"]
    assert handshake_hash == v["handshake_hash"]


@given(KEY, KEY, KEY, st.binary(max_size=100), st.binary(max_size=100))
def test_both_sides_agree(a, b, e, prologue, payload):
    a_public, b_public = X25519Key(a).public, X25519Key(b).public
    message, written_hash, written_key = write_message_x(prologue, a, a_public, e, b_public, payload)
    assert len(message) == OVERHEAD + len(payload)
    assert read_message_x(prologue, b, b_public, message) == (payload, a_public, written_hash, written_key)


@given(st.integers(0, (OVERHEAD + 5) * 8 - 1))
def test_any_flipped_bit_fails(bit):
    message = bytearray(write_message_x(PROLOGUE, A, A_PUBLIC, E, B_PUBLIC, b"hello")[0])
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoiseError):
        read_message_x(PROLOGUE, B, B_PUBLIC, bytes(message))


def test_another_prologue_or_recipient_fails():
    message = write_message_x(PROLOGUE, A, A_PUBLIC, E, B_PUBLIC)[0]
    with pytest.raises(NoiseError):
        read_message_x(b"other", B, B_PUBLIC, message)
    with pytest.raises(NoiseError):
        read_message_x(PROLOGUE, A, A_PUBLIC, message)


def test_sizes():
    longest = MAX_MESSAGE - OVERHEAD
    message = write_message_x(PROLOGUE, A, A_PUBLIC, E, B_PUBLIC, bytes(longest))[0]
    assert read_message_x(PROLOGUE, B, B_PUBLIC, message)[0] == bytes(longest)
    with pytest.raises(NoiseError):
        write_message_x(PROLOGUE, A, A_PUBLIC, E, B_PUBLIC, bytes(longest + 1))
    for size in (0, OVERHEAD - 1, MAX_MESSAGE + 1):
        with pytest.raises(NoiseError):
            read_message_x(PROLOGUE, B, B_PUBLIC, bytes(size))


def test_small_order_keys_end_the_handshake(alice):
    with pytest.raises(NoiseError, match="unusable"):
        write_x(PROLOGUE, alice, X25519Key(E), bytes(32))
    with pytest.raises(NoiseError, match="unusable"):
        read_x(PROLOGUE, alice, bytes(OVERHEAD))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_typed_error(data):
    with pytest.raises(NoiseError):
        read_message_x(PROLOGUE, B, B_PUBLIC, data)
