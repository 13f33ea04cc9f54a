"""Contact URIs: what is written is read back, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.contact_uri import format_contact_uri, is_contact_uri, parse_contact_uri
from kezd.kez.errors import HandleError

KEY = "ed25519:" + "ab" * 32


def test_the_form_that_is_documented():
    uri = format_contact_uri("alice@kez.lat", KEY)
    assert uri == f"kez:alice@kez.lat?key={KEY}"
    assert is_contact_uri(uri)
    assert parse_contact_uri(uri) == ("alice@kez.lat", KEY)


@given(
    st.from_regex(r"[a-z0-9_-]{3,32}@[a-z0-9.:-]{1,64}", fullmatch=True),
    st.from_regex(r"[a-z0-9:]+", fullmatch=True),
)
def test_what_is_written_is_read_back(handle, key):
    assert parse_contact_uri(format_contact_uri(handle, key)) == (handle, key)


@pytest.mark.parametrize(
    "uri",
    [
        f"KEZ:alice@kez.lat?key={KEY}",
        f" kez:@alice@kez.lat?key={KEY}\n",
        f"kez://alice@kez.lat/?later=1&key={KEY}",
    ],
)
def test_other_spellings(uri):
    assert parse_contact_uri(uri) == ("alice@kez.lat", KEY)


@pytest.mark.parametrize(
    "text",
    ["", "alice@kez.lat", "kez:", "kez:alice@kez.lat", f"kez:alice?key={KEY}", "kez:alice@kez.lat?key=",
     "kez:alice@kez.lat?keys=x", f"kez:a@b?key={KEY}&key={KEY}", f"mailto:a@b?key={KEY}", f"kez:a@b?key={'x' * 2000}"],
)  # fmt: skip
def test_what_is_none(text):
    with pytest.raises(HandleError):
        parse_contact_uri(text)


@given(st.text())
def test_anything_is_read_or_refused(text):
    for candidate in (text, "kez:" + text, "kez:a@b?" + text):
        try:
            parse_contact_uri(candidate)
        except HandleError:
            continue
