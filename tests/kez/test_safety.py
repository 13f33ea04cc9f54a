"""Safety words are the same on both sides and differ for any other pair."""

from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.keys import PublicKey
from kezd.kez.safety import safety_words

KEY = st.binary(min_size=32, max_size=32).map(PublicKey)


@given(KEY, KEY, KEY)
def test_same_on_both_sides_and_of_this_pair_only(a, b, c):
    words = safety_words(a, b)
    assert len(words) == 12
    assert safety_words(b, a) == words
    if c not in (a, b):
        assert safety_words(a, c) != words


def test_vector(vectors, alice, bob):
    case = vectors("nats")
    assert " ".join(safety_words(alice.public, bob.public)) == case["safety_words"]
