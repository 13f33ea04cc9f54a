"""Padding: Padmé's sizes, one form, zeros."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import SealedError
from kezd.kez.padding import MIN_PADDED, pad, padded_size, unpad


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        (4, 512),
        (512, 512),
        (513, 544),
        (544, 544),
        (545, 576),
        (1000, 1024),
        (1025, 1088),
        (65_537, 67_584),
        (192_512, 192_512),
        (192_513, 196_608),
    ],
)
def test_known_sizes(size, padded):
    assert padded_size(size) == padded


@given(st.integers(513, 2**20))
def test_padme_hides_the_size_at_a_bounded_price(size):
    padded = padded_size(size)
    assert size <= padded <= size * 1.12
    assert padded_size(padded) == padded


@given(st.binary(max_size=3000))
def test_round_trip(content):
    padded = pad(content)
    assert len(padded) == padded_size(len(content) + 4)
    assert unpad(padded) == content


@given(st.binary(max_size=1500), st.integers(0, 2**16), st.integers(1, 255))
def test_any_other_fill_is_refused(content, place, value):
    padded = bytearray(pad(content))
    start = 4 + len(content)
    if start < len(padded):
        padded[start + place % (len(padded) - start)] = value
        with pytest.raises(SealedError):
            unpad(bytes(padded))


@given(st.binary(max_size=1500), st.sampled_from([-1, 1, 32, 512]))
def test_any_other_size_is_refused(content, more):
    padded = pad(content)
    with pytest.raises(SealedError):
        unpad(padded[:more] if more < 0 else padded + bytes(more))


@given(st.binary(max_size=1200))
def test_any_bytes_are_padded_or_a_typed_error(data):
    try:
        content = unpad(data)
    except SealedError:
        return
    assert pad(content) == data
    assert len(data) >= MIN_PADDED
