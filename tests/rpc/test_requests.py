"""Whatever bytes arrive, they become calls or a reason; JSON that parsers could disagree about is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.rpc.requests import INVALID_REQUEST, NESTING, NO_ID, PARSE_ERROR, Call, Malformed, parse_message

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def call(**members) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "m", "id": 1, **members}).encode()


@given(st.binary(max_size=300))
def test_any_bytes(data):
    parsed = parse_message(data, 10)
    for one in parsed if isinstance(parsed, list) else [parsed]:
        assert isinstance(one, Call | Malformed)


@given(text, st.dictionaries(text, values, max_size=5), st.none() | text | st.integers(-(2**60), 2**60))
def test_a_call_comes_out_as_it_went_in(method, params, call_id):
    message = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": call_id}).encode()
    assert parse_message(message, 10) == Call(method, params, call_id)


@given(st.dictionaries(text, values, min_size=1, max_size=4), st.data())
def test_a_name_twice_is_refused_at_any_depth(params, data):
    name = data.draw(st.sampled_from(sorted(params)))
    inner = json.dumps(params)[:-1] + f", {json.dumps(name)}: 1}}"
    for params_text in (inner, f'{{"a": [{inner}]}}', f'{{"a:b": {{"c": {inner}}}}}'):
        parsed = parse_message(f'{{"jsonrpc":"2.0","method":"m","id":1,"params":{params_text}}}'.encode(), 10)
        assert isinstance(parsed, Malformed)
        assert parsed.code == PARSE_ERROR


def test_a_member_of_the_request_twice_is_refused():
    parsed = parse_message(b'{"jsonrpc":"2.0","method":"a","method":"b","id":1}', 10)
    assert isinstance(parsed, Malformed)
    assert "twice" in parsed.message


def test_colons_in_strings_are_no_members():
    assert isinstance(parse_message(call(params={"a": "::::", "b:": ':"\\":'}), 10), Call)


@pytest.mark.parametrize(("depth", "fine"), [(NESTING - 2, True), (NESTING + 1, False), (100_000, False)])
def test_nesting_is_counted_before_parsing(depth, fine):
    params = '{"a":' + "[" * depth + "]" * depth + "}"
    parsed = parse_message(f'{{"jsonrpc":"2.0","method":"m","id":1,"params":{params}}}'.encode(), 10)
    assert isinstance(parsed, Call) is fine


def test_brackets_in_strings_are_no_depth():
    assert isinstance(parse_message(call(params={"a": "[" * 1000}), 10), Call)


def test_unterminated_strings_cost_linear_time():
    parsed = parse_message(b'{"a' * 70 + b'"\\"' * 300_000, 10)
    assert isinstance(parsed, Malformed)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"NaN", b'{"a":NaN}', b'{"a":Infinity}', b"\xff\xfe", b'{"jsonrpc":"2.0"} x', b'"\\ud800"'],
)
def test_not_json(data):
    parsed = parse_message(data, 10)
    assert isinstance(parsed, Malformed)
    assert parsed.code == PARSE_ERROR


@pytest.mark.parametrize(
    ("data", "call_id"),
    [
        (b"1", None),
        (b"null", None),
        (b"[]", None),
        (b"{}", None),
        (call(jsonrpc="1.0"), 1),
        (call(jsonrpc=2.0), 1),
        (call(method=1), 1),
        (call(params=[1]), 1),
        (call(params=None), 1),
        (call(params="x"), 1),
        (call(id=True), None),
        (call(id={}), None),
        (call(id=[]), None),
        (call(extra=1), 1),
        (b'{"jsonrpc":"2.0","id":"x"}', "x"),
    ],
)
def test_no_request(data, call_id):
    parsed = parse_message(data, 10)
    assert isinstance(parsed, Malformed)
    assert (parsed.code, parsed.id) == (INVALID_REQUEST, call_id)


def test_a_notification_has_no_id():
    assert parse_message(b'{"jsonrpc":"2.0","method":"m"}', 10) == Call("m", {}, NO_ID)


def test_batches():
    parsed = parse_message(b"[" + call() + b",1," + call(id=2) + b"]", 3)
    assert isinstance(parsed, list)
    assert [type(one) for one in parsed] == [Call, Malformed, Call]
    too_many = parse_message(b"[" + b",".join([call()] * 4) + b"]", 3)
    assert isinstance(too_many, Malformed)
