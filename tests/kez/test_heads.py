"""Heads inside messages: told, read back, and left out when they are not good."""

from typing import Any

import pytest

from kezd.kez.heads import MAX_HEADS, SeenHead, heads_member, parse_heads
from kezd.kez.keys import Seed, SigningKey
from kezd.kez.sigchain import Head

KEYS = [SigningKey(Seed(bytes([number]) * 32)).public for number in range(1, 7)]
SEEN = [SeenHead(key, Head(place + 1, f"{place:064x}")) for place, key in enumerate(KEYS)]
GOOD = [3, "ab" * 32]


def test_what_is_told_is_read() -> None:
    assert heads_member([]) == {}
    assert parse_heads({"text": "hi"}) == ()
    told = heads_member(SEEN[:2])
    assert told == {
        "heads": {KEYS[0].primary: [1, "0" * 64], KEYS[1].primary: [2, "0" * 63 + "1"]},
    }
    assert parse_heads({"text": "hi"} | told) == tuple(SEEN[:2])


def test_no_more_than_four_are_told_or_read() -> None:
    assert len(heads_member(SEEN)["heads"]) == MAX_HEADS == 4
    many = {key.primary: GOOD for key in KEYS}
    assert parse_heads({"heads": many}) == ()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "3",
        [3],
        ["3", "ab" * 32],
        [3, "AB" * 32],
        [3, "ab" * 31],
        [0, "ab" * 32],
        [-1, "ab" * 32],
        [2**53, "ab" * 32],
        [True, "ab" * 32],
        [3, "ab" * 32, 1],
        {"seq": 3},
    ],
)
def test_a_bad_hint_is_no_hint_and_costs_the_others_nothing(value: Any) -> None:
    heads = {KEYS[0].primary: value, KEYS[1].primary: GOOD}
    assert parse_heads({"heads": heads}) == (SeenHead(KEYS[1], Head(3, "ab" * 32)),)


@pytest.mark.parametrize(
    "name", ["", "alice", "ed25519:" + "0" * 63, "ed25519:01" + "00" * 31, "nostr:npub1x"]
)
def test_a_head_of_nobody_is_left_out(name: str) -> None:
    assert parse_heads({"heads": {name: GOOD}}) == ()


@pytest.mark.parametrize("heads", [None, [], "x", 3])
def test_anything_but_an_object_is_no_hint(heads: Any) -> None:
    assert parse_heads({"heads": heads}) == ()
