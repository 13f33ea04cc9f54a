"""kez: arguments in, exit code out.

Imports the standard library, `kezd.client.sync` and `kezd.errors`, and nothing heavier:
a shell prompt may call it. Each command is a function of `Context` that returns its exit
code or raises a `KezdError`, which the table in `kezd.errors` turns into one.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from kez_cli.command import Command
from kez_cli.context import Context
from kez_cli.terminal import note, show
from kezd.errors import KezdError, RequestError, Slug

INTERRUPTED = 130
WIDTH = 96
"""Columns of help at most."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Knows its width without `shutil`, which argparse would import for each argument."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return min(int(columns) or WIDTH, WIDTH)
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns, WIDTH)
    except (OSError, ValueError):
        return 80


def _common() -> argparse.ArgumentParser:
    """Options that stand before or behind any command."""
    parser = argparse.ArgumentParser(
        add_help=False, argument_default=argparse.SUPPRESS, formatter_class=_Help
    )
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print the RPC result as JSON")
    group.add_argument("--profile", metavar="NAME", help="which identity of this kezd (default: default)")
    group.add_argument("--home-dir", metavar="DIR", help="the KEZD_HOME of the kezd to talk to")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), help="default: auto; NO_COLOR is obeyed"
    )
    return parser


GROUPS: dict[str, tuple[str, ...]] = {
    "identity": (
        "register",
        "restore",
        "whoami",
        "words",
        "unlock",
    ),
    "people": (
        "add",
        "contacts",
    ),
    "chat": (
        "send",
        "listen",
        "history",
        "read",
    ),
    "peer": (
        "status",
        "doctor",
        "version",
        "rpc",
    ),
    "topics": ("help",),
}
"""The commands of each module, in the order of help; only the module that is wanted is imported."""
NAMES = frozenset(name for names in GROUPS.values() for name in names)


def commands(wanted: str | None = None) -> list[Command]:
    """The command of that name, or all of them."""
    found: list[Command] = []
    for module, names in GROUPS.items():
        if wanted is None or wanted in names:
            rows = {row.name: row for row in import_module(f"kez_cli.{module}").COMMANDS}
            assert rows.keys() == set(names)
            found += [rows[name] for name in names if wanted in (None, name)]
    return found


def build_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser, with one command or all of them: building all takes longer than most commands run."""
    common = _common()
    parser = argparse.ArgumentParser(
        prog="kez",
        description="Talk to kezd, the peer that holds your identity.",
        formatter_class=_Help,
        epilog="begin with:  kez register HANDLE    more: kez help scripting | files | exit-codes",
        parents=[common],
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="kez")
    for command in commands(wanted):
        one = subparsers.add_parser(
            command.name,
            help=command.text,
            description=command.text[0].upper() + command.text[1:] + ".",
            epilog=f"example:\n{command.examples}",
            formatter_class=_Help,
            parents=[common],
            allow_abbrev=False,
        )
        command.arguments(one)
        one.set_defaults(run=command.run, build_parser=build_parser, names=NAMES)
    return parser


def _wanted(arguments: Sequence[str]) -> str | None:
    """The command among the arguments, when it is plain which one that is."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--profile", "--home-dir", "--color"):
            next(rest, None)
        elif not argument.startswith("-"):
            return argument if argument in NAMES else None
    return None


def _defaults(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was given neither before nor behind the command."""
    for name, value in {"json": False, "profile": "default", "home_dir": None, "color": "auto"}.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    if options.home_dir:
        os.environ["KEZD_HOME"] = options.home_dir
    return options


def _report(error: KezdError, *, as_json: bool) -> int:
    if as_json:
        data = {"slug": error.slug.value, "message": error.message, "hint": error.hint, **error.detail}
        note(json.dumps({"error": data}, ensure_ascii=False))
    else:
        note(f"kez: {show(error.message)}")
        if error.hint:
            note(f"  {show(error.hint)}")
        if error.detail.get("incident"):
            note(f"  incident {show(error.detail['incident'])}, see the log of kezd")
    return error.exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `kez`."""
    given = sys.argv[1:] if arguments is None else arguments
    _prepare_streams()
    parser = build_parser(_wanted(given))
    options = _defaults(parser.parse_args(given))
    if options.command is None:
        parser.print_help()
        return 2
    try:
        _refuse_what_is_no_text(given)
        return int(options.run(Context(options)))
    except KezdError as error:
        return _report(error, as_json=options.json)
    except KeyboardInterrupt as stop:
        _leave_the_line(stop)
        return INTERRUPTED
    except EOFError as stop:
        _leave_the_line(stop)
        note("kez: nothing was typed")
        return 2
    except OSError as error:
        # Sockets and files have errors of ours; what is left is stdout. No traceback from the flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # that one is `| head`
            note(f"kez: cannot write the output: {error.strerror}")
        return 1


def _leave_the_line(stop: BaseException) -> None:
    """Down from the prompt at which a person stopped, and what there is to say about stopping there."""
    if sys.stderr is not None and sys.stderr.isatty():
        note("")
    for text in getattr(stop, "__notes__", ()):
        note(text)


def _prepare_streams() -> None:
    """Output that a terminal's encoding does not know is escaped; a closed stdout swallows what it gets."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as we run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _refuse_what_is_no_text(arguments: Sequence[str]) -> None:
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, "an argument is not UTF-8 text") from error


if __name__ == "__main__":
    sys.exit(main())
