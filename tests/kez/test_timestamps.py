"""Times in signed payloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import TimestampError
from kezd.kez.timestamps import format_timestamp, parse_timestamp


@given(st.integers(0, 253_402_300_799))
def test_round_trip(unix):
    text = format_timestamp(unix)
    assert len(text) == 20
    assert parse_timestamp(text) == unix


def test_known_times():
    assert format_timestamp(1_767_225_600) == "2026-01-01T00:00:00Z"
    assert parse_timestamp("1970-01-01T00:00:00Z") == 0
    assert parse_timestamp("2024-02-29T23:59:59Z") == 1_709_251_199


@pytest.mark.parametrize(
    "text",
    [
        None,
        1,
        "",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00.0Z",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00:00Z\n",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "\uff12\uff10\uff12\uff16-01-01T00:00:00Z",
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(TimestampError):
        parse_timestamp(text)


@pytest.mark.parametrize("unix", [-1, 253_402_300_800])
def test_times_out_of_range_are_refused(unix):
    with pytest.raises(TimestampError):
        format_timestamp(unix)


@given(st.text())
def test_any_text_is_a_time_or_a_typed_error(text):
    with pytest.raises(TimestampError):
        parse_timestamp(text)
