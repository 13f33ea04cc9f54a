"""Every error has a slug of its own, and foreign text is tamed."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from kezd.kez import errors
from kezd.kez.errors import SHOWN_MAX, KezError, shown


def test_slugs_are_unique_and_classes_are_documented():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, KezError)]
    slugs = [c.__dict__["slug"] for c in classes]
    assert len(slugs) == len(set(slugs)) == len(classes)
    assert all(c.__doc__ for c in classes)
    assert all(c.__name__.endswith("Error") for c in classes)


@given(st.text())
def test_foreign_text_is_shown_in_short_printable_ascii(text):
    out = shown(text)
    assert out.rstrip("…").isascii()
    assert out.isprintable()
    assert len(out) <= SHOWN_MAX * 10 + 3


def test_what_is_not_text_is_shown_by_its_type():
    assert shown(None) == "'NoneType'"
    assert shown("x" * 100).endswith("…")
