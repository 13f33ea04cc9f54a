"""Recovery words: BIP-39 English, 24 words for a seed, 12 for older ones, and words from entropy.

Source: BIP-39 for words and checksum; no passphrase, no PBKDF2 (docs/protocol/identifiers-and-keys.md). Not
here: making entropy, and asking for words. Invariant: no error message holds a word, only its place.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Final

from mnemonic import Mnemonic

from kezd.kez.errors import MnemonicError
from kezd.kez.keys import Seed

WORDS_24: Final = 24
WORDS_12: Final = 12
ENTROPY_12: Final = 16  # bytes behind 12 words
PREFIX_12: Final = b"kez-bip39-12-v1"

_MAX_TEXT: Final = 4096  # characters that are looked at


@cache
def _bip39() -> tuple[Mnemonic, dict[str, int]]:
    english = Mnemonic("english")
    return english, {word: place for place, word in enumerate(english.wordlist)}


def seed_to_words(seed: Seed) -> tuple[str, ...]:
    """Return the 24 words that are the seed itself."""
    return tuple(_bip39()[0].to_mnemonic(seed.reveal()).split())


def entropy_to_words(entropy: bytes) -> tuple[str, ...]:
    """Return the 12 words of 16 bytes.

    Raises:
        MnemonicError: another size.
    """
    if len(entropy) != ENTROPY_12:
        raise MnemonicError(f"12 words hold {ENTROPY_12} bytes")
    return tuple(_bip39()[0].to_mnemonic(entropy).split())


def words_to_seed(words: str | Iterable[str]) -> Seed:
    """Return the seed behind 24 or 12 words.

    Args:
        words: a text with any spacing and case, or the words one by one.

    Raises:
        MnemonicError: wrong count, an unknown word (named by its place), or a wrong checksum.
    """
    text = words if isinstance(words, str) else " ".join(words)
    if len(text) > _MAX_TEXT:
        raise MnemonicError("that is far longer than recovery words")
    entropy = _entropy(text.lower().split())
    if len(entropy) == ENTROPY_12:
        return Seed(hashlib.sha256(PREFIX_12 + entropy).digest())
    return Seed(entropy)


def _entropy(words: list[str]) -> bytes:
    if len(words) not in (WORDS_12, WORDS_24):
        raise MnemonicError(f"there are {len(words)} words, not 24 or 12")
    english, places = _bip39()
    for place, word in enumerate(words, start=1):
        if word not in places:
            raise MnemonicError(f"word {place} is not in the list of recovery words")
    try:
        return bytes(english.to_entropy(words))
    except ValueError as error:
        raise MnemonicError("the words do not belong together: one is wrong or two are swapped") from error
