"""Bodies: text, receipt, kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.bodies import (
    MAX_IDS,
    MAX_TEXT,
    Kind,
    Receipt,
    ReceiptState,
    parse_kind,
    parse_receipt,
    parse_text,
    receipt_body,
    text_body,
)
from kezd.kez.errors import BodyError
from kezd.kez.jcs import canonicalize, parse_json

ID = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_text_round_trip(text):
    assert parse_text(parse_json(canonicalize(text_body(text)))) == text


@pytest.mark.parametrize("text", ["", "\ud800", "x" * (MAX_TEXT + 1), "é" * (MAX_TEXT // 2 + 1)])
def test_other_texts_are_refused(text):
    with pytest.raises(BodyError):
        text_body(text)
    with pytest.raises(BodyError):
        parse_text({"text": text})


@pytest.mark.parametrize("body", [{}, {"text": 1}, {"text": None}, {"text": ["x"]}])
def test_bodies_without_text_are_refused(body):
    with pytest.raises(BodyError):
        parse_text(body)


def test_the_longest_text():
    assert parse_text(text_body("x" * MAX_TEXT)) == "x" * MAX_TEXT


@given(st.sampled_from(ReceiptState), st.lists(ID, min_size=1, max_size=20))
def test_receipt_round_trip(state, ids):
    body = parse_json(canonicalize(receipt_body(state, ids)))
    assert parse_receipt(body) == Receipt(state, tuple(dict.fromkeys(ids)))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "delivered"},
        {"state": "delivered", "ids": []},
        {"state": "delivered", "ids": "0" * 32},
        {"state": "delivered", "ids": ["0" * 31]},
        {"state": "delivered", "ids": [1]},
        {"state": "seen", "ids": ["0" * 32]},
        {"state": None, "ids": ["0" * 32]},
        {"state": ["read"], "ids": ["0" * 32]},
        {"state": "read", "ids": ["0" * 32] * (MAX_IDS + 1)},
    ],
)
def test_other_receipts_are_refused(body):
    with pytest.raises(BodyError):
        parse_receipt(body)


def test_receipts_are_built_within_the_same_bounds():
    many = [f"{i:032x}" for i in range(MAX_IDS + 1)]
    assert len(parse_receipt(receipt_body("read", many[:-1])).ids) == MAX_IDS
    with pytest.raises(BodyError):
        receipt_body("read", many)
    with pytest.raises(BodyError):
        receipt_body("seen", many[:1])


@pytest.mark.parametrize("kind", list(Kind))
def test_known_kinds(kind):
    assert parse_kind(kind.value) is kind


@given(st.text())
def test_unknown_kinds_are_no_error(text):
    assert parse_kind(text + "!") is None
