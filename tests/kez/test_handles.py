"""Handles and server names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import HandleError
from kezd.kez.handles import RESERVED, Handle, parse_handle, parse_name, parse_server_name


def test_vectors(vectors):
    cases = vectors("handles")
    for case in cases["valid"]:
        found = parse_handle(case["text"], case.get("default_server"))
        assert str(found) == case["handle"]
        assert parse_handle(str(found)) == parse_handle("@" + str(found)) == found
    for case in cases["invalid"]:
        with pytest.raises(HandleError):
            parse_handle(case["text"], case.get("default_server"))
    for case in cases["servers"]:
        assert parse_server_name(case["text"]) == case["server"]
    for text in cases["invalid_servers"]:
        with pytest.raises(HandleError):
            parse_server_name(text)


@given(st.text(max_size=400), st.none() | st.text(max_size=300))
def test_any_text_is_a_handle_or_a_typed_error(text, server):
    try:
        found = parse_handle(text, server)
    except HandleError:
        return
    assert parse_handle(str(found)) == found


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{2,31}", fullmatch=True))
def test_any_name_in_the_alphabet_is_a_handle_unless_reserved(name):
    if name in RESERVED:
        with pytest.raises(HandleError, match="reserved"):
            parse_name(name)
    else:
        assert parse_handle(name, "kez.lat") == Handle(name, "kez.lat")


def test_reserved_names_are_names():
    for name in RESERVED:
        with pytest.raises(HandleError, match="reserved"):
            parse_handle(name, "kez.lat")
