"""What reaches the terminal: foreign text made harmless, columns, dates, colour.

`show` is the one function that prints what somebody else wrote; nothing from outside
is printed without it. No colour unless a person looks at a terminal that wants it.
"""

import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kez_cli.progress import Progress

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, reorder text, or cannot be seen."""
_JOINERS = frozenset("\u200d\ufe0f")
"""Inside emoji; harmless elsewhere."""
_DAY = 24 * 3600
_AGES = (
    ("years", 2 * 365 * _DAY, 365 * _DAY),
    ("months", 60 * _DAY, 30 * _DAY),
    ("days", 2 * _DAY, _DAY),
    ("h", 3600, 3600),
    ("min", 60, 60),
)
"""Unit, from how many seconds on it is used, and how many it has."""


def show(text: object, *, lines: bool = False) -> str:
    r"""Foreign text without escapes, bidi tricks and invisible characters.

    Args:
        text: anything; converted with `str`.
        lines: keep line feeds (the caller indents what follows them).

    Returns:
        The text with everything hidden written as `\u{…}`.
    """
    return "".join(_visible(character, lines=lines) for character in str(text))


def plain(text: object) -> str:
    r"""Foreign names in ASCII, so that no letter of another alphabet passes for one of ours.

    Args:
        text: a subject, a handle or an address; converted with `str`.

    Returns:
        The text with everything outside printable ASCII written as `\\u{…}`.
    """
    return "".join(c if " " <= c <= "~" else f"\\u{{{ord(c):x}}}" for c in str(text))


def _visible(character: str, *, lines: bool) -> str:
    if character == "\n":
        return "\n" if lines else "\\n"
    if character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"\\u{{{ord(character):x}}}"


class Terminal:
    """Where a command prints."""

    def __init__(self, *, color: bool, progress: bool = False) -> None:
        self._color = color
        self._wants_progress = progress
        self._progress: Progress | None = None

    @property
    def _columns(self) -> int:
        """Width of the screen; of a file or pipe, as wide as anything."""
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns or sys.maxsize
        except (OSError, ValueError):
            return sys.maxsize

    @classmethod
    def of(cls, choice: str, *, quiet: bool = False) -> "Terminal":
        """By `--color` (auto, always, never), NO_COLOR and what is a terminal; `quiet`: no progress."""
        dumb = os.environ.get("TERM") == "dumb"
        progress = not quiet and not dumb and sys.stderr is not None and sys.stderr.isatty()
        color = choice == "always"
        if choice == "auto":
            color = sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")
        return cls(color=color, progress=progress)

    def progress(self, done: int, total: int | None, text: str, unit: str = "") -> None:
        """How far long work is, on one line of stderr that is redrawn; nothing when nobody looks.

        Args:
            done: of the work, in units.
            total: None when nobody knows.
            text: what is done.
            unit: what is counted; `bytes` are shown as kB and MB.
        """
        if not self._wants_progress:
            return
        if self._progress is None:
            from kez_cli.progress import Progress  # only here: most commands are done at once

            self._progress = Progress(sys.stderr, _columns_of_stderr)
        self._progress.update(done, total, text, unit)

    def end_progress(self) -> None:
        """Take the line of `progress` away, before anything else is printed."""
        if self._progress is not None:
            self._progress.close()

    @property
    def colored(self) -> bool:
        """Whether colours are painted."""
        return self._color

    def line(self, text: str = "") -> None:
        """Print a line at once."""
        self.end_progress()
        print(text, flush=True)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def strong(self, text: str) -> str:
        """What the eye should find first."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """What it may pass over."""
        return self._paint("2", text)

    def good(self, text: str) -> str:
        """Fine."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """Not fine."""
        return self._paint("31", text)

    def doubtful(self, text: str) -> str:
        """Neither: nobody could tell."""
        return self._paint("33", text)

    @property
    def columns(self) -> int:
        """Width of the screen; of a file or pipe, as wide as anything."""
        return self._columns

    def pairs(self, rows: Iterable[tuple[str, object]]) -> None:
        """Print names and values in two columns; rows without a value are left out."""
        kept = [(name, show(value)) for name, value in rows if value not in (None, "")]
        width, columns = max((len(name) for name, _ in kept), default=0), self._columns
        for name, value in kept:
            # A key that does not fit beside its name stands below it, in one piece for the mouse.
            gap = "  " if width + 2 + len(value) <= columns else "\n  "
            self.line(f"{self.faint(name.ljust(width) if gap == '  ' else name)}{gap}{value}")

    def words(self, words: Sequence[str], *, numbered: bool = True) -> None:
        """Print words in columns, numbered as they stand on paper; never over the edge of the screen."""
        cell = 15 if numbered else 11
        columns = max(1, min(4, (self._columns - 1) // cell))
        rows = -(-len(words) // columns)
        for row in range(rows):
            if numbered:
                cells = [f"{i + 1:2}. {words[i]:<10}" for i in range(row, len(words), rows)]
            else:  # read aloud from left to right, the same on a narrower screen
                cells = [f"{word:<10}" for word in words[row * columns : (row + 1) * columns]]
            self.line("  " + " ".join(cells).rstrip())


def _columns_of_stderr() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def note(text: str) -> None:
    """Say something to the person, not to the program that reads stdout."""
    if sys.stderr is not None:  # closed: `2>&-`
        print(text, file=sys.stderr, flush=True)


def date(milliseconds: int | None) -> str:
    """Local date and time of Unix milliseconds."""
    if milliseconds is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def now() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)  # noqa: TID251 - a program of its own, which has no clock of the peer's


def age(milliseconds: int | None, at: int) -> str:
    """How long ago Unix milliseconds were, in one unit."""
    if milliseconds is None:
        return "never"
    seconds = max(0, at - milliseconds) // 1000
    for unit, least, length in _AGES:
        if seconds >= least:
            return f"{seconds // length} {unit} ago"
    return "just now"


def indented(text: str, by: int) -> str:
    """Foreign text of several lines, the later ones moved right so that none can pose as ours."""
    return show(text, lines=True).replace("\n", "\n" + " " * by)
