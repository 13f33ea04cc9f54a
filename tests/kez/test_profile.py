"""The signed list of subjects to be found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import EnvelopeError, IdentifierError, KezError, SignatureError
from kezd.kez.handles import Handle
from kezd.kez.keys import Seed
from kezd.kez.profile import profile_payload, verify_profile
from kezd.kez.signing import Signer

NOW = 1_767_225_600
ALICE = Signer(Seed(b"\x0a" * 32))
HANDLE = Handle("alice", "kez.lat")


def profile(*subjects, **more):
    return ALICE.profile_proofs(profile_payload(HANDLE, ALICE.public, subjects, NOW) | more)


def test_a_profile():
    found = verify_profile(profile("github:@Alice", "dns:Example.com", "github:alice"), server="kez.lat")
    assert (found.handle, found.key, found.created_at) == (HANDLE, ALICE.public, NOW)
    assert [str(one) for one in found.subjects] == ["dns:example.com", "github:alice"]
    assert verify_profile(profile(), server="KEZ.lat").subjects == ()


@pytest.mark.parametrize(
    "more",
    [
        {"server": "other.test"}, {"server": None}, {"handle": "Al"}, {"handle": None}, {"proofs": None},
        {"proofs": ["github:b", "github:a"]}, {"proofs": ["github:a"] * 2}, {"proofs": ["github:A"]},
        {"proofs": ["x"]}, {"proofs": [7]}, {"proofs": [f"github:a{n}" for n in range(65)]}, {"version": 2},
    ],
)  # fmt: skip
def test_what_is_no_profile(more):
    with pytest.raises(EnvelopeError):
        verify_profile(profile(**more), server="kez.lat")


def test_what_cannot_be_made():
    with pytest.raises(EnvelopeError, match="at most 64"):
        profile_payload(HANDLE, ALICE.public, [f"github:a{n}" for n in range(65)], NOW)
    with pytest.raises(IdentifierError):
        profile_payload(HANDLE, ALICE.public, ["alice"], NOW)
    with pytest.raises(EnvelopeError):
        verify_profile(ALICE.claim(profile_claim()), server="kez.lat")


def profile_claim():
    return {
        "type": "kez.claim", "version": 1, "primary": ALICE.public.primary, "subject": "github:alice",
        "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["handle", "server", "proofs", "created_at"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_any_members_are_a_profile_or_a_typed_error(more):
    try:
        verify_profile(profile(**more), server="kez.lat")
    except SignatureError:
        raise
    except KezError:
        return
