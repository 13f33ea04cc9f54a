"""What a parser takes, as plain values: for completion and for the manual pages.

argparse has no public way to ask, so the two private names that are needed are read here
and nowhere else.
"""

import argparse
from typing import NamedTuple


class Argument(NamedTuple):
    """One option or positional argument."""

    flags: tuple[str, ...]
    """`-h`, `--help`; none for a positional one."""
    name: str
    """Where its value ends up, such as `words_file`."""
    metavar: str
    """What its value is called; empty for a flag that takes none."""
    choices: tuple[str, ...]
    text: str
    """What help says about it."""
    required: bool
    many: bool
    """It takes as many values as follow."""


def arguments_of(parser: argparse.ArgumentParser) -> list[Argument]:
    """Options and positional arguments in their order, without those that help hides, and without sub-verbs."""
    return [
        _argument(action)
        for action in parser._actions  # noqa: SLF001 - see above
        if action.help != argparse.SUPPRESS and not _is_verb(action)
    ]


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """Sub-verbs with what they do and their parsers."""
    for action in parser._actions:  # noqa: SLF001 - see above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            texts = {row.dest: row.help or "" for row in action._choices_actions}  # noqa: SLF001 - see above
            return {name: (texts.get(name, ""), one) for name, one in action.choices.items()}
    return {}


def _is_verb(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - see above


def _argument(action: argparse.Action) -> Argument:
    choices = tuple(str(choice) for choice in action.choices or ())
    takes = action.nargs != 0
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if takes and not metavar:
        plain = action.dest if not action.option_strings else action.dest.upper()
        metavar = "{" + ",".join(choices) + "}" if choices else plain
    return Argument(
        tuple(action.option_strings),
        action.dest,
        metavar if takes else "",
        choices,
        (action.help or "") % {**vars(action), "prog": ""},  # %(default)s and its like are argparse's own
        action.required and action.nargs not in ("?", "*"),
        action.nargs in ("+", "*"),
    )
