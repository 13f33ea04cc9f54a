"""Looking for secrets in files: every form in which a seed, its words or a text could have leaked.

Reads files whole, one at a time. It can only find what it is told to look for; a test that
relies on it plants each form first.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kezd.kez.nkeys import Prefix, encode_seed

WORDS_IN_A_ROW = 3
_BETWEEN = rb"(?:[^A-Za-z]|\\[nrt]|\\u[0-9a-f]{4}){0,12}"
"""What may stand between two words: spaces, commas, quotes, line breaks, numbering, or nothing."""


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one secret."""

    name: str
    pattern: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """A secret where none may be."""

    name: str
    path: Path


def _literal(name: str, data: bytes, *, ignore_case: bool = False) -> Needle:
    return Needle(name, re.compile(re.escape(data), re.IGNORECASE if ignore_case else 0))


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """The part of `data` that looks the same in base64 whatever bytes stand before it: three alignments."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data)
        start = 0 if offset == 0 else 4
        end = len(encoded) if (offset + len(data)) % 3 == 0 else -4
        yield encoded[start:end]


def bytes_needles(name: str, data: bytes) -> list[Needle]:
    """Raw, hex in either case, hex with separators, base64 of both alphabets in all alignments."""
    spaced = rb"[\s:,-]?".join(b"%02x" % byte for byte in data)
    needles = [
        _literal(f"{name} raw", data),
        Needle(f"{name} hex", re.compile(spaced, re.IGNORECASE)),
        _literal(f"{name} as a list of numbers", b", ".join(b"%d" % byte for byte in data)),
    ]
    for form in _base64_forms(data):
        needles.append(_literal(f"{name} base64", form))
        needles.append(_literal(f"{name} base64url", form.translate(bytes.maketrans(b"+/", b"-_"))))
    return needles


def seed_needles(seed: bytes) -> list[Needle]:
    """A 32-byte ed25519 seed, also as an nkey seed of each kind."""
    nkeys = [
        _literal(f"seed as nkey {prefix.name}", encode_seed(prefix, seed).encode())
        for prefix in (Prefix.USER, Prefix.ACCOUNT, Prefix.SERVER)
    ]
    return bytes_needles("seed", seed) + nkeys


def words_needles(words: Sequence[str]) -> list[Needle]:
    """Any three consecutive recovery words, in any case, with anything that is no letter between."""
    runs = [words[i : i + WORDS_IN_A_ROW] for i in range(len(words) - WORDS_IN_A_ROW + 1)]
    return [
        Needle(
            f"words {number} to {number + WORDS_IN_A_ROW - 1}",
            re.compile(_BETWEEN.join(word.encode() for word in run), re.IGNORECASE),
        )
        for number, run in enumerate(runs, start=1)
    ]


def text_needles(name: str, text: str) -> list[Needle]:
    """A text in UTF-8 and UTF-16, and as bytes in every form."""
    return [*bytes_needles(name, text.encode()), _literal(f"{name} UTF-16", text.encode("utf-16-le"))]


def search(roots: Iterable[Path], needles: Sequence[Needle]) -> list[Found]:
    """Every needle in every file (and every file's name) under the roots."""
    found = []
    for path in _files(roots):
        haystacks = (path.name.encode(), path.read_bytes())
        found += [
            Found(needle.name, path)
            for needle in needles
            if any(needle.pattern.search(haystack) for haystack in haystacks)
        ]
    return found


def _files(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        yield from (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
