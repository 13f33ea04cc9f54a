"""Whatever happens to a backup's bytes is noticed: cut, moved, repeated, changed; and sizes come out as they went in."""

import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezd.errors import AccessError, Slug, StoreError
from kezd.store.argon2 import Argon2
from kezd.store.backup.container import FRAME, MAGIC, TAG, SealedReader, SealedWriter

CHEAP = Argon2(8 * 1024, 1, 1, "ab" * 16)
PASSPHRASE = "correct horse battery"


def sealed(plain: bytes, *, finish: bool = True) -> bytes:
    out = io.BytesIO()
    writer = SealedWriter(out, PASSPHRASE, CHEAP)
    writer.write(plain)
    if finish:
        writer.finish()
    assert writer.written == len(out.getvalue())
    return out.getvalue()


def opened(data: bytes, passphrase: str = PASSPHRASE) -> bytes:
    reader = SealedReader(io.BytesIO(data), passphrase)
    parts = []
    while part := reader.read(10_000):
        parts.append(part)
    return b"".join(parts)


def frames_begin(data: bytes) -> int:
    return len(MAGIC) + 2 + int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2], "big")


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 17])
def test_what_goes_in_comes_out(size: int) -> None:
    plain = bytes(i % 251 for i in range(size))
    data = sealed(plain)
    assert opened(data) == plain
    assert plain[:64] not in data or size < 16
    assert sealed(plain) != data, "another nonce each time"


def test_another_passphrase() -> None:
    with pytest.raises(AccessError) as wrong:
        opened(sealed(b"x"), "correct horse batterx")
    assert wrong.value.slug is Slug.WRONG_PASSPHRASE


def test_a_passphrase_is_the_same_however_its_accents_are_typed() -> None:
    out = io.BytesIO()
    writer = SealedWriter(out, "crème brûlée", CHEAP)
    writer.finish()
    assert opened(out.getvalue(), "crème brûlée") == b""


@pytest.mark.parametrize("size", [10, FRAME, 2 * FRAME + 5])
def test_every_truncation_is_noticed(size: int) -> None:
    data = sealed(b"z" * size)
    begin = frames_begin(data)
    whole_frames = range(begin, len(data), FRAME + TAG)
    for cut in {0, 5, begin - 1, begin, begin + 1, len(data) - 1, *whole_frames}:
        with pytest.raises(StoreError) as damaged:
            opened(data[:cut])
        assert damaged.value.slug is Slug.BACKUP_DAMAGED, cut


def test_one_that_was_never_finished_is_not_whole() -> None:
    with pytest.raises(StoreError):
        opened(sealed(b"z" * (2 * FRAME + 5), finish=False))


def test_frames_cannot_be_moved_repeated_or_left_out() -> None:
    data = sealed(b"a" * FRAME + b"b" * FRAME + b"c" * FRAME)
    begin, step = frames_begin(data), FRAME + TAG
    head, one, two, three = data[:begin], *(data[begin + i * step : begin + (i + 1) * step] for i in range(3))
    assert opened(head + one + two + three)
    for order in (
        (two, one, three),
        (one, three),
        (one, one, two, three),
        (three,),
        (one, two, three, three),
    ):
        with pytest.raises(StoreError):
            opened(head + b"".join(order))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_no_bit_can_be_turned(place: int, bit: int) -> None:
    data = bytearray(sealed(b"hello, world" * 20))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises((StoreError, AccessError)):
        opened(bytes(data))


def test_frames_of_another_backup_do_not_fit() -> None:
    one, two = sealed(b"a" * 100), sealed(b"a" * 100)
    with pytest.raises(StoreError):
        opened(one[: frames_begin(one)] + two[frames_begin(two) :])


@given(st.binary(max_size=300))
def test_anything_else_is_no_backup(data: bytes) -> None:
    for start in (data, MAGIC + data):
        with pytest.raises(StoreError) as damaged:
            opened(start)
        assert damaged.value.slug is Slug.BACKUP_DAMAGED


def test_memory_does_not_grow_with_the_size() -> None:
    class Nowhere:
        def write(self, data: bytes) -> None:
            assert len(data) <= FRAME + TAG

    writer = SealedWriter(Nowhere(), PASSPHRASE, CHEAP)
    piece = bytes(1024 * 1024)
    tracemalloc.start()
    for _ in range(64):
        writer.write(piece)
    writer.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
