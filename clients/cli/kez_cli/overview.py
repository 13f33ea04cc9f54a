"""What `kez` says about itself as a whole: the commands by what they are for.

Not here: help on one command (argparse). Invariant: never wider than the screen, and the
same on every Python.
"""

import textwrap
from collections.abc import Sequence

from kez_cli.command import Command

INTRODUCTION = "kez talks to kezd, the peer that holds your identity."
USAGE = "usage: kez [--json] [--profile NAME] COMMAND ..."
EVERYWHERE = (
    ("--json", "print the RPC result as JSON"),
    ("--profile NAME", "which identity of this kezd (default: default)"),
    ("--home-dir DIR", "the KEZD_HOME of the kezd to talk to"),
    ("--color WHEN", "auto, always or never (default: auto; NO_COLOR is obeyed)"),
    ("-h, --help", "help, of a command when it stands behind one"),
)
FIRST_STEPS = (
    ("kez register HANDLE", "become somebody"),
    ("kez add @bob", "find a friend"),
    ('kez send @bob "hello"', "and write"),
)
MORE = "Help on a command: kez help COMMAND. Topics: kez help scripting, files, exit-codes, man."
NARROW = 50
"""Columns below which a text stands under its name, not beside it."""


def overview(groups: Sequence[tuple[str, Sequence[Command]]], width: int) -> str:
    """The whole text, for a screen of so many columns."""
    lines = [*_wrapped(INTRODUCTION, width), "", *_wrapped(USAGE, width), ""]
    names = [command.name for _, commands in groups for command in commands]
    column = max(map(len, names)) + 4
    for title, commands in groups:
        lines += [title, *_rows([(row.name, row.text) for row in commands], column, width), ""]
    lines += ["Begin with", *_rows(FIRST_STEPS, 25, width), ""]
    lines += ["With every command", *_rows(EVERYWHERE, 18, width), ""]
    return "\n".join([*lines, *_wrapped(MORE, width), ""])


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 10), break_long_words=False, break_on_hyphens=False)


def _rows(rows: Sequence[tuple[str, str]], column: int, width: int) -> list[str]:
    lines: list[str] = []
    for name, text in rows:
        if width < NARROW:
            lines += [f"  {name}", *("      " + part for part in _wrapped(text, width - 6))]
        else:
            first, *rest = _wrapped(text, width - column)
            lines += [f"  {name}".ljust(column) + first, *(" " * column + part for part in rest)]
    return lines


def closest(word: str, names: Sequence[str]) -> list[str]:
    """The names that somebody may have meant, the likeliest first; three at most."""
    import difflib  # only here: it costs start-up time

    begun = [name for name in names if name.startswith(word)] if len(word) > 1 else []
    return list(dict.fromkeys([*begun, *difflib.get_close_matches(word, names, 3, 0.6)]))[:3]
