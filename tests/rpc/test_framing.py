"""Messages come out of any cutting of the stream as they went in, or the stream is refused."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.rpc.framing import FramingError, HeaderFraming, LineFraming, choose_framing

payloads = st.lists(st.binary(min_size=1, max_size=40).filter(lambda b: b"\n" not in b and not b.isspace()))


def feed_in_pieces(framing, data: bytes, cuts: list[int]) -> list[bytes]:
    messages = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        if begin < end:
            framing.feed(data[begin:end])
        while (message := framing.next_message()) is not None:
            messages.append(message)
    return messages


@given(payloads, st.data())
def test_lines_survive_any_cut(messages, data):
    stream = b"".join(LineFraming(64).wrap(m) for m in messages)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert feed_in_pieces(LineFraming(64), stream, cuts) == messages


@given(payloads, st.data())
def test_headers_survive_any_cut(messages, data):
    stream = b"".join(HeaderFraming(64).wrap(m) for m in messages)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert feed_in_pieces(HeaderFraming(64), stream, cuts) == messages


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
def test_garbage_is_bounded(pieces, headers):
    framing = HeaderFraming(100) if headers else LineFraming(100)
    try:
        for piece in pieces:
            framing.feed(piece)
            while (message := framing.next_message()) is not None:
                assert len(message) <= 100
    except FramingError:
        return


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 60, b"x" * 60], [b"ok\n" + b"x" * 101 + b"\n"]])
def test_a_line_over_the_limit_is_refused_before_it_ends(pieces):
    framing = LineFraming(100)
    for piece in pieces[:-1]:
        framing.feed(piece)
    with pytest.raises(FramingError) as caught:
        framing.feed(pieces[-1])
    assert caught.value.too_large


def test_a_line_at_the_limit_passes():
    framing = LineFraming(100)
    framing.feed(b"x" * 100 + b"\n")
    assert framing.next_message() == b"x" * 100


@pytest.mark.parametrize(
    ("data", "too_large"),
    [
        (b"Content-Length: 101\r\n\r\n", True),
        (b"Content-Length: -1\r\n\r\n", False),
        (b"Content-Length: 1e9\r\n\r\n", False),
        (b"Content-Length: 9999999999999999999\r\n\r\n", False),
        (b"Content-Type: x\r\n\r\n", False),
        (b"C" * 5000, False),
    ],
)
def test_bad_headers(data, too_large):
    with pytest.raises(FramingError) as caught:
        HeaderFraming(100).feed(data)
    assert caught.value.too_large is too_large


def test_empty_lines_are_nothing():
    framing = LineFraming(100)
    framing.feed(b"\n  \r\n\n{}\n")
    assert framing.next_message() == b"{}"
    assert framing.next_message() is None


def test_the_first_byte_tells():
    assert isinstance(choose_framing(b"Content-Length: 2\r\n\r\n{}", 10), HeaderFraming)
    assert isinstance(choose_framing(b"{}", 10), LineFraming)
    assert isinstance(choose_framing(b"\x00", 10), LineFraming)


@pytest.mark.parametrize("make", [LineFraming, HeaderFraming])
def test_a_drip_costs_no_more_memory_than_its_message(make):
    length = 200_000
    framing = make(length)
    if make is HeaderFraming:
        framing.feed(b"Content-Length: %d\r\n\r\n" % length)
    tracemalloc.start()
    try:
        for _ in range(length - 1):
            framing.feed(b"x")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * length
    framing.feed(b"x")
    if make is LineFraming:
        framing.feed(b"\n")
    assert framing.next_message() == b"x" * length


def test_messages_begun():
    line = LineFraming(100)
    assert line.begun() == 0
    line.feed(b"\n  \na\nb\nc")
    assert line.begun() == 3
    assert line.next_message() == b"a"
    assert line.begun() == 2
    header = HeaderFraming(100)
    assert header.begun() == 0
    for data, begun in ((b"C", 1), (b"ontent-Length: 1\r\n\r\n", 1), (b"xContent", 2)):
        header.feed(data)
        assert header.begun() == begun
