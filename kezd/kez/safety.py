"""Safety words: twelve words that two people compare to know that they hold each other's keys.

Not here: asking people. Invariant: the same on both sides, whoever asks.
"""

import hashlib
from typing import Final

from kezd.kez.keys import PublicKey
from kezd.kez.mnemonic import ENTROPY_12, entropy_to_words

PREFIX: Final = b"kez-safety/1\x00"


def safety_words(a: PublicKey, b: PublicKey) -> tuple[str, ...]:
    """Return the 12 words for two keys, in whichever order they are given.

    They carry the first 128 bits of SHA-256 over a prefix of its own and the two keys, the smaller first.
    """
    low, high = sorted((a.raw, b.raw))
    return entropy_to_words(hashlib.sha256(PREFIX + low + high).digest()[:ENTROPY_12])
