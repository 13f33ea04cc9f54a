"""Order and gaps, against a plain set of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import BodyError
from kezd.kez.jcs import MAX_INT
from kezd.kez.ordering import MAX_GAPS, Noted, StreamState, note


def missing_numbers(state):
    return {n for first, last in state.missing for n in range(first, last + 1)}


@given(st.lists(st.integers(1, 40)))
def test_it_tells_what_a_set_would_tell(numbers):
    state, seen = StreamState(), set()
    for n in numbers:
        noted = note(state, n)
        assert noted.duplicate == (n in seen)
        assert noted.filled == (n not in seen and n < max(seen, default=0))
        assert (noted.opened is not None) == (n > max(seen, default=0) + 1)
        seen.add(n)
        state = noted.state
        assert state.highest == max(seen)
        assert missing_numbers(state) == set(range(1, max(seen))) - seen
        assert list(state.missing) == sorted(state.missing)
        assert all(a[1] + 1 < b[0] for a, b in zip(state.missing, state.missing[1:], strict=False))


def test_in_order_nothing_is_missing():
    state = StreamState()
    for n in range(1, 100):
        state, opened, filled, duplicate = note(state, n)
        assert (opened, filled, duplicate) == (None, False, False)
    assert state == StreamState(99)


def test_a_gap_opens_and_fills_from_the_middle():
    state = note(note(StreamState(), 1).state, 7).state
    assert state.missing == ((2, 6),)
    assert note(state, 4) == Noted(StreamState(7, ((2, 3), (5, 6))), None, filled=True, duplicate=False)
    assert note(state, 2).state.missing == ((3, 6),)
    assert note(state, 6).state.missing == ((2, 5),)
    assert note(state, 7).duplicate
    assert note(StreamState(3, ((2, 2),)), 2).state == StreamState(3)


def test_a_huge_number_costs_one_range():
    assert note(StreamState(), MAX_INT) == Noted(
        StreamState(MAX_INT, ((1, MAX_INT - 1),)), (1, MAX_INT - 1), filled=False, duplicate=False
    )


@pytest.mark.parametrize("n", [0, -1, MAX_INT + 1])
def test_numbers_count_from_one(n):
    with pytest.raises(BodyError):
        note(StreamState(), n)


def test_a_hostile_sender_cannot_grow_the_state():
    state = StreamState()
    for n in range(2, 10 * MAX_GAPS, 2):
        state = note(state, n).state
    assert len(state.missing) == MAX_GAPS
    wide = StreamState(10_000, tuple((n, n + 2) for n in range(1, MAX_GAPS * 10, 10)))
    state = note(wide, 1002).state
    assert len(state.missing) == MAX_GAPS
    assert state.missing[0] == (1, 13)
    assert not note(state, 5).duplicate


@given(st.permutations(range(1, 30)))
def test_a_shuffled_stream_ends_whole(numbers):
    state = StreamState()
    for n in numbers:
        state = note(state, n).state
    assert state == StreamState(29)
