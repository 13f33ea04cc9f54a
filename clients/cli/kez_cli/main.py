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
from typing import NoReturn

from kez_cli.command import Command
from kez_cli.context import Context
from kez_cli.default_profile import current_profile
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
        return min(os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH, WIDTH)
    except (OSError, ValueError):
        return 80


def _common() -> argparse.ArgumentParser:
    """Options that stand before or behind any command."""
    parser = argparse.ArgumentParser(
        add_help=False, argument_default=argparse.SUPPRESS, formatter_class=_Help
    )
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print the RPC result as JSON")
    group.add_argument(
        "--profile", metavar="NAME", help="which identity of this kezd (default: by kez profile switch)"
    )
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
    "claims": ("claim",),
    "verify": ("verify",),
    "who": ("id", "find", "follow", "unfollow", "follows"),
    "chain": ("sigchain",),
    "own_keys": ("identity",),
    "people": (
        "add",
        "contacts",
    ),
    "safety": ("safety",),
    "code": ("qr",),
    "chat": (
        "send",
        "listen",
        "history",
        "read",
    ),
    "notify": ("notify",),
    "peer": (
        "status",
        "version",
    ),
    "doctor": ("doctor",),
    "report": ("report",),
    "service": ("service",),
    "profiles": ("profile",),
    "backup": ("backup", "export"),
    "events": ("events",),
    "access": ("token", "confirm", "audit"),
    "rpc": ("rpc",),
    "completion": ("completion",),
    "topics": ("help",),
}
"""The commands of each module, in the order of help; only the module that is wanted is imported."""
TITLES = {
    "identity": "Your identity",
    "code": "Your identity",
    "claims": "Your accounts",
    "verify": "Your accounts",
    "who": "Your accounts",
    "chain": "Your accounts",
    "own_keys": "Your accounts",
    "people": "People",
    "safety": "People",
    "chat": "Conversations",
    "notify": "Conversations",
    "peer": "This kezd",
    "doctor": "This kezd",
    "service": "This kezd",
    "report": "This kezd",
    "profiles": "This kezd",
    "backup": "Your data",
    "events": "Programs and scripts",
    "access": "Programs and scripts",
    "rpc": "Programs and scripts",
    "completion": "Programs and scripts",
    "topics": "Help",
}
"""Under which title of the overview a module's commands stand."""
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
    parser = _Kez(prog="kez", formatter_class=_Help, parents=[common], allow_abbrev=False)
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", prog="kez", parser_class=argparse.ArgumentParser
    )
    for command in commands(wanted):
        one = subparsers.add_parser(
            command.name,
            help=command.text,
            description=_sentence(command.text),
            epilog=f"example:\n{command.examples}",
            formatter_class=_Help,
            parents=[common],
            allow_abbrev=False,
            add_help=not command.own_help,
        )
        command.arguments(one)
        _let_verbs_take_them(one)
        one.set_defaults(run=command.run, build_parser=build_parser, names=NAMES)
    return parser


def _let_verbs_take_them(command: argparse.ArgumentParser) -> None:
    """What stands before or behind any command may stand behind its verb, too; help need not say it again."""
    if command._subparsers is None:  # noqa: SLF001 - argparse has no public way to ask
        return
    from kez_cli.arguments import verbs_of  # only here: most commands have no verbs

    hidden = _common()
    for action in hidden._actions:  # noqa: SLF001 - as above
        action.help = argparse.SUPPRESS
    for _, verb in verbs_of(command).values():
        verb._add_container_actions(hidden)  # noqa: SLF001 - what `parents` does, after the fact
        verb.formatter_class = _Help
        verb.allow_abbrev = False


def _sentence(text: str) -> str:
    """As a paragraph; argparse is told to leave the examples as they are, and would leave this, too."""
    sentence = text[0].upper() + text[1:] + "."
    if len(sentence) <= _width():
        return sentence
    import textwrap  # only here: it costs start-up time

    return textwrap.fill(sentence, _width())


class _Kez(argparse.ArgumentParser):
    """Its help is the overview."""

    def format_help(self) -> str:
        from kez_cli.overview import overview  # only here: help is seldom asked for

        groups: dict[str, list[Command]] = {}
        for module, names in GROUPS.items():
            rows = groups.setdefault(TITLES.get(module, "More"), [])
            rows += [row for name in names for row in commands(name)]
        order = [*dict.fromkeys(TITLES.values()), "More"]
        return overview(sorted(groups.items(), key=lambda group: order.index(group[0])), _width())


def _first_word(arguments: Sequence[str]) -> str | None:
    """What stands where the command belongs."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--profile", "--home-dir", "--color"):
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def _refuse_unknown(word: str) -> NoReturn:
    from kez_cli.overview import closest  # only here: as above

    meant = closest(word, sorted(NAMES))
    raise RequestError(
        Slug.INVALID_ARGUMENT,
        f"there is no command {word!r}",
        hint=f"did you mean: {', '.join('kez ' + name for name in meant)}"
        if meant
        else "kez help lists them",
    )


def _refuse_rest(command: str, rest: Sequence[str]) -> NoReturn:
    from kez_cli.arguments import arguments_of, verbs_of
    from kez_cli.overview import closest

    _, parser = verbs_of(build_parser(command))[command]
    flags = [flag for row in arguments_of(parser) for flag in row.flags]
    meant = closest(rest[0], flags) if rest[0].startswith("-") else []
    raise RequestError(
        Slug.INVALID_ARGUMENT,
        f"kez {command} does not take {' '.join(rest)}",
        hint=f"did you mean: {', '.join(meant)}" if meant else f"kez help {command}",
    )


def _parse(given: Sequence[str]) -> argparse.Namespace:
    """The options; argparse itself ends the process for help and for what it cannot read."""
    word = _first_word(given)
    if word is not None and word not in NAMES:
        _refuse_unknown(word)
    options, rest = build_parser(word).parse_known_args(given)
    if rest:
        _refuse_rest(options.command, rest) if options.command else _refuse_unknown(rest[0])
    return options


def _defaults(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was given neither before nor behind the command."""
    for name, value in {"json": False, "profile": None, "home_dir": None, "color": "auto"}.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    if options.home_dir:
        os.environ["KEZD_HOME"] = options.home_dir
    options.profile = options.profile or current_profile(os.environ)
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
    if given[:1] == ["__complete"]:
        from kez_cli.complete import complete  # only here: a shell asks this at each Tab

        return complete(given[1:])
    try:
        _refuse_what_is_no_text(given)
        options = _defaults(_parse(given))
    except RequestError as error:
        return _report(error, as_json="--json" in given)
    if options.command is None:
        build_parser().print_help()
        return 2
    context = Context(options)
    try:
        return int(options.run(context))
    except KezdError as error:
        context.terminal.end_progress()
        return _report(error, as_json=options.json)
    except KeyboardInterrupt as stop:
        context.terminal.end_progress()
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
