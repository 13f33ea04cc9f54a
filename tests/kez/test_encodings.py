"""base64url and bounded decompression."""

import base64
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.encodings import compress, decode_base64url, decompress, encode_base64url
from kezd.kez.errors import EncodingError


@given(st.binary(max_size=200))
def test_base64url_round_trip_padded_or_not(data):
    text = encode_base64url(data)
    assert "=" not in text
    assert decode_base64url(text, max_bytes=200) == data
    assert decode_base64url(base64.urlsafe_b64encode(data).decode(), max_bytes=200) == data


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AB", "AAB", "AA=", "AAA==", "A===", "AA+A", "AA/A", "AA A", "é", "=", "AA==AA"]
)
def test_other_writing_is_refused(text):
    with pytest.raises(EncodingError):
        decode_base64url(text, max_bytes=100)


@pytest.mark.parametrize("size", [101, 102, 103, 104, 1000])
def test_base64url_is_capped(size):
    with pytest.raises(EncodingError):
        decode_base64url(encode_base64url(bytes(size)), max_bytes=100)


@given(st.text(max_size=50))
def test_any_text_is_base64url_or_a_typed_error(text):
    try:
        data = decode_base64url(text, max_bytes=100)
    except EncodingError:
        return
    assert encode_base64url(data) == text.rstrip("=")


@given(st.binary(max_size=5000))
def test_zstd_round_trip(data):
    assert decompress(compress(data), max_bytes=5000) == data


def test_zstd_without_a_stated_size():
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 1000)
    assert decompress(frame, max_bytes=1000) == b"x" * 1000
    with pytest.raises(EncodingError):
        decompress(frame, max_bytes=999)


def test_a_bomb_is_an_error_not_memory():
    bombs = [
        zstandard.ZstdCompressor(write_content_size=stated).compress(bytes(64 * 1024 * 1024))
        for stated in (True, False)
    ]
    # A frame that states a size far beyond its content.
    bombs.append(b"\x28\xb5\x2f\xfd\xe0" + (2**50).to_bytes(8, "little") + b"\x01\x00\x00")
    for bomb in bombs:
        tracemalloc.start()
        with pytest.raises(EncodingError):
            decompress(bomb, max_bytes=1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * 1024 * 1024


def test_frames_that_are_not_one_whole_frame_are_refused():
    frame = compress(b"hello" * 100)
    for data in (b"", frame[:-1], frame + b"x", frame + frame, b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"):
        with pytest.raises(EncodingError):
            decompress(data, max_bytes=10_000)


def test_an_empty_frame_is_nothing_but_that():
    empty = compress(b"")
    assert decompress(empty, max_bytes=10) == b""
    for data in (empty + b"x", empty[:-1], empty[:6] + b"garbage"):
        with pytest.raises(EncodingError):
            decompress(data, max_bytes=10)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_frame_or_a_typed_error(data):
    for start in (b"", b"\x28\xb5\x2f\xfd"):
        try:
            decompress(start + data, max_bytes=1000)
        except EncodingError:
            continue
