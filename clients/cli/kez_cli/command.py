"""A command as the table of `kez` holds it, and arguments that several commands share."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from kez_cli.context import Context

MOST_SECONDS = 1e9
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
