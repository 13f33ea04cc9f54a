"""A command as the table of `kez` holds it, and arguments that several commands share."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from kez_cli.context import Context

MOST_SECONDS = 1e9
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600, "y": 365 * 24 * 3600}
Run = Callable[[Context], int]


class Command(NamedTuple):
    """One row of the table: what help says, what it takes, what it does."""

    name: str
    run: Run
    text: str
    examples: str
    arguments: Callable[[argparse.ArgumentParser], None]
    own_help: bool = False
    """It takes `--help` itself, because there is more to say than argparse knows."""


class Verbs:
    """The sub-verbs of a command; the one that was given ends up in `context.options.verb`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(metavar="VERB", required=True)

    def add(self, name: str, run: Run, text: str) -> argparse.ArgumentParser:
        """One more, with what help says about it."""
        one = self._verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.set_defaults(verb=run)
        return one


def no_arguments(_parser: argparse.ArgumentParser) -> None:
    """For a command that takes none."""
    return


def add_yes(parser: argparse.ArgumentParser) -> None:
    """`--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask whether to go on")


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """`--passphrase-file`."""
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="the vault's passphrase, where no keyring is (-: stdin)"
    )


def seconds(text: str) -> float:
    """A time to wait; 0 would mean for ever to the timer, and so would what is no number."""
    wait = float(text)
    if not 0 < wait < MOST_SECONDS:
        raise ValueError
    return wait


def duration(text: str) -> int:
    """Seconds of `90s`, `30m`, `12h`, `30d`, `4w` or `1y`."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise ValueError
    return int(number) * UNITS[unit]
