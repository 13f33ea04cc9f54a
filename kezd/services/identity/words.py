"""Recovery words of a new or returning identity, and the recall of some of them.

Not here: where the secrets are kept. No word appears in an error.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mnemonic import Mnemonic

from kezd.errors import RequestError, Slug
from kezd.kez.errors import MnemonicError
from kezd.kez.keys import KEY_SIZE, Seed
from kezd.kez.mnemonic import ENTROPY_12, WORDS_12, entropy_to_words, seed_to_words, words_to_seed

ASKED: Final = 3
"""How many words are to be recalled."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Where randomness comes from."""

    entropy: Callable[[int], bytes] = secrets.token_bytes
    sample: Callable[[Sequence[int], int], list[int]] = secrets.SystemRandom().sample


@dataclass(frozen=True, slots=True)
class Secrets:
    """A seed, and the entropy behind it when its words are 12."""

    seed: Seed
    entropy12: bytes | None

    @property
    def words(self) -> tuple[str, ...]:
        """The 24 or 12 words."""
        return seed_to_words(self.seed) if self.entropy12 is None else entropy_to_words(self.entropy12)

    def __repr__(self) -> str:
        return "Secrets(redacted)"


def new_secrets(words: Literal[12, 24], chance: Chance) -> Secrets:
    """A new identity's secrets."""
    if words == WORDS_12:
        entropy = chance.entropy(ENTROPY_12)
        return Secrets(words_to_seed(entropy_to_words(entropy)), entropy)
    return Secrets(Seed(chance.entropy(KEY_SIZE)), None)


def read_words(text: str) -> Secrets:
    """The secrets behind words that somebody typed.

    Raises:
        RequestError: `wrong_words`; the message names positions, never words.
    """
    try:
        seed = words_to_seed(text)
    except MnemonicError as error:
        raise RequestError(Slug.WRONG_WORDS, str(error)) from error
    words = text.lower().split()
    entropy = bytes(Mnemonic("english").to_entropy(words)) if len(words) == WORDS_12 else None
    return Secrets(seed, entropy)


def ask_positions(words: int, chance: Chance) -> tuple[int, ...]:
    """Random 1-based positions to be recalled, in order."""
    return tuple(sorted(chance.sample(range(1, words + 1), ASKED)))


def recalled(words: Sequence[str], asked: Sequence[int], answers: Mapping[int, str]) -> bool:
    """Whether every word asked for was answered rightly (case and spaces do not matter)."""
    right = [
        hmac.compare_digest(words[position - 1].encode(), answers.get(position, "").strip().lower().encode())
        for position in asked
    ]
    return all(right)
