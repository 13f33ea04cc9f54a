"""Which key a person decided about: never another one that came meanwhile."""

from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.keys import PublicKey


def check_named(named: PublicKey | None, found: PublicKey) -> None:
    """The key that a contact URI names is the one that the home shows."""
    if named is not None and named != found:
        raise TrustError(
            Slug.KEY_CHANGED,
            "the home server shows another key for this handle than the code names",
            hint="nothing was added: ask them for a fresh code (kez qr), or compare safety words",
        )


def check_expected(about: str, expected: str | None) -> None:
    """A person decides about the key that they saw, not about the one that came meanwhile."""
    if expected is None:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "to trust a new key, say which: the alarm's new_primary",
            detail={"field": "expected_primary"},
        )
    if expected != about:
        raise TrustError(
            Slug.KEY_CHANGED,
            "the alarm is about another key than the one you decided about",
            hint="look again: kez contacts HANDLE",
        )
