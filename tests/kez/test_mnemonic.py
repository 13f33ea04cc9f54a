"""Recovery words: BIP-39's vectors, KEZ's two, forgiveness, silence about words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.kez.errors import MnemonicError
from kezd.kez.keys import Seed, SigningKey
from kezd.kez.mnemonic import entropy_to_words, seed_to_words, words_to_seed


def test_bip39_vectors(vectors):
    for case in vectors("bip39")["valid"]:
        entropy, words = bytes.fromhex(case["entropy"]), tuple(case["words"].split())
        if len(entropy) == 32:
            assert seed_to_words(Seed(entropy)) == words
            assert words_to_seed(case["words"]) == Seed(entropy)
        else:
            assert entropy_to_words(entropy) == words
            assert words_to_seed(words) == words_to_seed(case["words"])


def test_kez_vectors(vectors):
    for case in vectors("bip39")["kez"]:
        seed = words_to_seed(case["words"])
        assert seed.reveal().hex() == case["seed"]
        if "public" in case:
            assert SigningKey(seed).public.hex == case["public"]


def test_invalid_vectors(vectors):
    for case in vectors("bip39")["invalid"]:
        with pytest.raises(MnemonicError) as caught:
            words_to_seed(case["words"])
        assert caught.value.slug == case["slug"]


@given(st.binary(min_size=32, max_size=32))
def test_round_trip_in_any_writing(raw):
    words = seed_to_words(Seed(raw))
    for text in (" ".join(words), "\n\t " + "  \n".join(words).upper() + " ", list(words), iter(words)):
        assert words_to_seed(text) == Seed(raw)


@given(st.binary(min_size=16, max_size=16))
def test_twelve_words(raw):
    words = entropy_to_words(raw)
    assert len(words) == 12
    assert words_to_seed(words).reveal() != raw


def test_errors_name_the_place_and_never_a_word():
    words = list(seed_to_words(Seed(bytes(range(32)))))
    words[6] = "zebraz"
    with pytest.raises(MnemonicError, match="word 7") as caught:
        words_to_seed(words)
    shown = f"{caught.value}{caught.value.__cause__}"
    assert "zebraz" not in shown
    swapped = list(seed_to_words(Seed(bytes(range(32)))))
    swapped[0], swapped[1] = swapped[1], swapped[0]
    with pytest.raises(MnemonicError) as caught:
        words_to_seed(swapped)
    shown = f"{caught.value}{caught.value.__cause__}"
    assert not any(word in shown.split() for word in swapped)


def test_sizes():
    with pytest.raises(MnemonicError):
        words_to_seed("abandon " * 10_000)
    for size in (0, 15, 17, 32):
        with pytest.raises(MnemonicError):
            entropy_to_words(bytes(size))


@given(st.text(max_size=300))
def test_any_text_is_a_typed_error(text):
    with pytest.raises(MnemonicError):
        words_to_seed(text)
