"""The error table is total, and each slug has one family."""

import pytest

from kezd.errors import FAMILIES, TABLE, Family, KezdError, Slug, error_for


def test_every_slug_has_a_row_and_every_family_a_class():
    assert set(TABLE) == set(Slug)
    assert set(FAMILIES) == set(Family)
    assert {c.family for c in KezdError.__subclasses__()} == set(Family)


@pytest.mark.parametrize("slug", Slug)
def test_a_slug_makes_an_error_of_its_family_with_something_to_say(slug):
    error = error_for(slug)
    assert error.family is TABLE[slug].family
    assert error.message == str(error) != ""
    assert error.exit_code not in (0, 130)
    assert slug.value.islower()


def test_codes_stay_out_of_the_range_that_json_rpc_keeps_for_itself():
    assert all(not -32768 <= family.value <= -32000 for family in Family)
