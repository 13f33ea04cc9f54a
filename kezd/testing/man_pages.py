"""`make man`: the manual pages, from the same arguments that the programs read.

`docs/man` holds what it writes; the package installs it into share/man/man1. Not here: roff
(`roff`). Invariant: the same arguments always give the same pages, on every Python.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kez_cli import main as kez
from kez_cli.arguments import Argument, arguments_of, verbs_of
from kez_cli.overview import INTRODUCTION
from kez_cli.topics import FILES, SCRIPTING, exit_codes
from kezd import __version__
from kezd.daemon import main as kezd
from kezd.home import arguments as home
from kezd.testing.roff import Page

MAN: Final = Path(__file__).parent.parent.parent / "docs" / "man"
HELP: Final = "-h"


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {"kez.1": _kez(), "kezd.1": _kezd(), "kezd-home.1": _home()}


def _kez() -> str:
    page = Page("kez", "talk to kezd, the peer that holds your identity", __version__)
    parser = kez.build_parser()
    common = arguments_of(parser)
    flags = {row.flags for row in common}
    page.section("Synopsis")
    page.prose("kez [OPTION...] COMMAND [ARGUMENT...]")
    page.section("Description")
    page.prose(INTRODUCTION)
    page.prose("Several front-ends may be used at once; all of them see the same.")
    page.section("Options of every command")
    page.arguments(common)
    page.section("Commands")
    verbs = verbs_of(parser)
    for command in kez.commands():
        for name, text, one in _leaves(command.name, command.text, verbs[command.name][1]):
            rows = [
                row
                for row in arguments_of(one)
                if (row.flags not in flags and HELP not in row.flags) or not row.flags
            ]
            page.subsection(name)
            page.synopsis(f"kez {name}", rows)
            page.prose(text[:1].upper() + text[1:] + ".")
            page.arguments(rows)
        page.prose("Examples:")
        page.example(command.examples)
    page.section("In scripts")
    page.prose(SCRIPTING)
    page.section("Files and environment")
    page.example(FILES)
    page.section("Exit status")
    page.prose("Each code with the stable names (slugs) of the errors behind it.")
    page.example(exit_codes())
    page.section("See also")
    page.prose("kezd(1), kezd-home(1)")
    return str(page)


def _leaves(
    name: str, text: str, parser: argparse.ArgumentParser
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """A command, or its sub-verbs when it has them."""
    verbs = verbs_of(parser)
    if not verbs or [row for row in arguments_of(parser) if not row.flags]:
        yield name, text, parser
    for verb, (what, one) in verbs.items():
        yield from _leaves(f"{name} {verb}", what or text, one)


def _kezd() -> str:
    page = Page("kezd", "the KEZ peer: holds your identity, keeps your messages", __version__)
    rows = _without_help(kezd.build_parser())
    page.section("Synopsis")
    page.synopsis("kezd", rows)
    page.section("Description")
    page.prose(kezd.DESCRIPTION)
    page.section("Options")
    page.arguments(rows)
    page.section("Notes")
    page.prose(kezd.EPILOG)
    page.section("See also")
    page.prose("kez(1), kezd-home(1)")
    return str(page)


def _home() -> str:
    page = Page("kezd-home", "the KEZ home server: handles, sigchains, sealed mail", __version__)
    verbs = verbs_of(home.build_parser({}))
    page.section("Synopsis")
    page.prose("kezd-home COMMAND [OPTION...]")
    page.section("Description")
    page.prose(home.DESCRIPTION)
    page.section("Commands")
    page.arguments(
        [
            Argument((name,), name, "", (), text, required=False, many=False)
            for name, (text, _) in verbs.items()
        ]
    )
    page.section("Options")
    page.arguments(_without_help(verbs["up"][1]))
    page.section("Examples")
    page.prose(home.EXAMPLES)
    page.section("See also")
    page.prose("kez(1), kezd(1)")
    return str(page)


def _without_help(parser: argparse.ArgumentParser) -> list[Argument]:
    return [row for row in arguments_of(parser) if HELP not in row.flags]


def main() -> int:
    """Write them."""
    MAN.mkdir(exist_ok=True)
    for name, text in pages().items():
        (MAN / name).write_text(text)
        sys.stdout.write(f"docs/man/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
