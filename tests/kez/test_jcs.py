"""JSON as KEZ signs it, with `rfc8785` as the oracle of the fast path."""

import contextlib
import json
import time
import tracemalloc

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kezd.kez.errors import CanonicalError
from kezd.kez.jcs import MAX_INT, canonicalize, parse_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | TEXT
VALUES = st.recursive(LEAVES, lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=30)
ASCII = st.recursive(
    LEAVES, lambda v: st.lists(v) | st.dictionaries(st.text(st.characters(codec="ascii")), v), max_leaves=30
)


@settings(max_examples=500)
@given(VALUES | ASCII)
@example({"\U0001f602": 1, "\ufb33": 2, "\u20ac": 3})
@example({"a": '\u2028\u2029\x7f\x00\b\f\n\r\t"\\/'})
def test_the_bytes_are_those_of_rfc8785(value):
    data = canonicalize(value)
    assert data == rfc8785.dumps(value)
    assert parse_json(data) == value
    assert canonicalize(parse_json(data)) == data


@given(VALUES)
def test_any_writing_of_a_value_has_one_canonical_form(value):
    for written in (
        json.dumps(value, indent=2),
        json.dumps(value, ensure_ascii=False, separators=(" , ", " : ")),
    ):
        assert canonicalize(parse_json(written.encode())) == canonicalize(value)


def test_vectors(vectors):
    cases = vectors("jcs")
    for case in cases["valid"]:
        assert canonicalize(parse_json(case["json"].encode())) == case["jcs"].encode()
    for case in cases["invalid"]:
        with pytest.raises(CanonicalError) as caught:
            parse_json(case["json"].encode())
        assert caught.value.slug == case["slug"]


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        MAX_INT + 1,
        -MAX_INT - 1,
        "\ud800",
        {"\udfff": 1},
        {"\u20ac": "\ud800"},
        {1: 2},
        {None: 1},
        b"bytes",
        {"a": {1}},
        {"\u20ac": object()},
        type("Text", (str,), {})("x"),
        [[1.5], "x"],
        {"\u20ac": 1, "a": [1.5]},
    ],
)
def test_what_kez_does_not_sign_is_refused(value):
    with pytest.raises(CanonicalError):
        canonicalize(value)


def test_depth_is_counted_the_same_in_both_directions():
    good, bad = b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33
    assert canonicalize(parse_json(good)) == good
    with pytest.raises(CanonicalError, match="deep"):
        parse_json(bad)
    with pytest.raises(CanonicalError, match="deep"):
        canonicalize(json.loads(bad))
    mixed = b'{"a":' * 33 + b"1" + b"}" * 33
    with pytest.raises(CanonicalError, match="deep"):
        parse_json(mixed)


def test_brackets_in_strings_do_not_count():
    value = ["[{" * 40, {'"[\\': ']}"'}, [], {}]
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(b"[" + b",".join([b"[]"] * 100) + b"]") == [[]] * 100


def test_size_is_checked_first():
    assert parse_json(b'"' + b"x" * 65_534 + b'"') == "x" * 65_534
    with pytest.raises(CanonicalError, match="bytes"):
        parse_json(b'"' + b"x" * 65_535 + b'"')
    assert parse_json(b" " * 10 + b"1", max_bytes=11) == 1
    with pytest.raises(CanonicalError):
        parse_json(b" " * 10 + b"1", max_bytes=10)


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'"', b'\\"', b'"\\', b"[1,", b"9", b" ", b"\xff"])
def test_hostile_text_costs_little_time_and_memory(unit):
    data = (unit * 65_536)[:65_536]
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(CanonicalError):
            parse_json(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
    assert time.perf_counter() - began < 2


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_a_typed_error(data):
    try:
        value = parse_json(data)
    except CanonicalError:
        return
    assert parse_json(canonicalize(value)) == value


@given(st.text(st.sampled_from('{}[]",:\\01e-.null \ud800u'), max_size=60))
def test_nearly_json_is_json_or_a_typed_error(text):
    try:
        value = parse_json(text.encode("utf-8", "surrogatepass"))
    except CanonicalError:
        return
    assert parse_json(canonicalize(value)) == value


def test_tuples_are_arrays():
    assert canonicalize({"a": (1, 2)}) == b'{"a":[1,2]}'


def depth_of(value):
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case _:
            return 0


BRACKETED = st.recursive(
    st.sampled_from([None, "[[[", "}", '"]', "\\", '\\"{']),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["[", '"', "a"]), v, max_size=2),
    max_leaves=40,
)


@given(BRACKETED, st.integers(1, 6))
def test_the_depth_is_counted_exactly_whatever_the_texts_hold(value, limit):
    data = json.dumps(value).encode()
    if depth_of(value) > limit:
        with pytest.raises(CanonicalError):
            parse_json(data, max_depth=limit)
    else:
        assert parse_json(data, max_depth=limit) == value


@given(st.text(alphabet='[]{}"\\a,:', max_size=400))
def test_no_heap_of_brackets_reaches_the_parser_deep(text):
    with contextlib.suppress(CanonicalError):
        parse_json(text.encode(), max_depth=4)
