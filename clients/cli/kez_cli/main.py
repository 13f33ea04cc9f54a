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
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kez_cli import chat, identity, peer, people, topics
from kez_cli.context import Context
from kez_cli.terminal import note, show
from kezd.errors import KezdError, RequestError, Slug

INTERRUPTED = 130
Run = Callable[[Context], int]
WIDTH = 96
"""Columns of help at most."""
MOST_SECONDS = 1e9


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


def _seconds(text: str) -> float:
    """A time to wait; 0 would mean for ever to the timer, and so would what is no number."""
    seconds = float(text)
    if not 0 < seconds < MOST_SECONDS:
        raise ValueError
    return seconds


class Command(NamedTuple):
    """One row of the table: what help says, what it takes, what it does."""

    name: str
    run: Run
    text: str
    examples: str
    arguments: Callable[[argparse.ArgumentParser], None]


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


def _nothing(_parser: argparse.ArgumentParser) -> None:
    return


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="the vault's passphrase, where no keyring is (-: stdin)"
    )


def _register(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="alice, or alice@server")
    parser.add_argument(
        "--words", type=int, choices=(12, 24), default=24, help="recovery words (default: 24)"
    )
    parser.add_argument("--words-file", metavar="FILE", help="write the words to a new file and ask nothing")
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    _passphrase(parser)


def _restore(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--words-file", metavar="FILE", help="read the words from a file (-: stdin)")
    group.add_argument(
        "--takeover", action="store_true", help="this installation was superseded: take over again"
    )
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    _passphrase(parser)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="@bob, or bob@server")


def _contacts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", nargs="?", help="show this contact, with safety words")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--accept", metavar="HANDLE", help="accept a stranger's message request")
    group.add_argument("--block", metavar="HANDLE", help="drop what they send from now on")
    group.add_argument("--trust", metavar="HANDLE", help="after an alarm: trust the new key")
    group.add_argument("--keep-old", metavar="HANDLE", help="after an alarm: stay with the old key")
    group.add_argument("--refresh", metavar="HANDLE", help="look them up and check their sigchain now")


def _send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="@bob, bob@server, or a key")
    parser.add_argument("text", nargs="?", help="the message (none, or -: read it from stdin)")
    parser.add_argument("--wait", choices=chat.STATES[1:], help="wait until it got that far")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="give up waiting after this long")
    parser.add_argument("--idempotency-key", metavar="KEY", help="calls with one key are one message")
    parser.add_argument("--dry-run", action="store_true", help="check everything, send nothing")


def _listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="EPOCH:SEQ", help="begin after this event (default: now)")
    parser.add_argument(
        "--topics",
        nargs="+",
        choices=("message", "contact", "identity", "link"),
        default=["message", "contact", "identity"],
        help="default: message contact identity",
    )


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", nargs="?", help="whose conversation; none: list them all")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="messages a page (default: 50)")
    parser.add_argument("--cursor", metavar="CURSOR", help="the page after this one, as the last page told")


def _read(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="whose messages")
    parser.add_argument("--up-to", type=int, metavar="POSITION", help="only up to this position")


def _rpc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", help="rpc.discover lists them")
    parser.add_argument("params", nargs="?", default="{}", help="a JSON object (-: stdin)")


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help="a command, or: exit-codes, scripting, files")
    parser.set_defaults(build_parser=build_parser, names=NAMES)


COMMANDS = (
    Command(
        "register",
        identity.register,
        "make an identity and register its handle",
        "  kez register alice\n  kez register alice --words-file ~/words.txt    # in scripts",
        _register,
    ),
    Command(
        "restore",
        identity.restore,
        "bring an identity back from its words",
        "  kez restore\n  kez restore --words-file words.txt\n  kez restore --takeover    # be the live one again",
        _restore,
    ),
    Command("whoami", identity.whoami, "show your handle and key", "  kez whoami --json", _nothing),
    Command("words", identity.words, "show your recovery words again", "  kez words", _passphrase),
    Command("unlock", identity.unlock, "open the vault of a locked kezd", "  kez unlock", _passphrase),
    Command(
        "add",
        people.add,
        "find somebody by handle and keep their key",
        "  kez add @bob\n  kez add bob@other.server",
        _add,
    ),
    Command(
        "contacts",
        people.contacts,
        "list contacts, show one, or decide about one",
        "  kez contacts\n  kez contacts @bob\n  kez contacts --accept @carol",
        _contacts,
    ),
    Command(
        "send",
        chat.send,
        "send a message",
        '  kez send @bob "hello"\n  git diff | kez send @bob\n  kez send @bob done --wait delivered --timeout 30',
        _send,
    ),
    Command(
        "listen",
        chat.listen,
        "print what arrives, as it arrives",
        "  kez listen\n  kez listen --json | jq .event",
        _listen,
    ),
    Command(
        "history",
        chat.history,
        "show a conversation, or list them",
        "  kez history\n  kez history @bob --limit 20",
        _history,
    ),
    Command("read", chat.read, "mark a conversation as seen", "  kez read @bob", _read),
    Command("status", peer.status, "state of the peer and its links", "  kez status --json", _nothing),
    Command(
        "doctor",
        peer.doctor,
        "look for what is wrong, with a fix for each finding",
        "  kez doctor",
        _nothing,
    ),
    Command("version", peer.version, "versions of kez and kezd", "  kez version", _nothing),
    Command(
        "rpc",
        peer.rpc,
        "call any method of the API",
        '  kez rpc daemon.health\n  kez rpc contacts.show \'{"contact": "@bob"}\'',
        _rpc,
    ),
    Command("help", topics.help_topic, "help on a command or a topic", "  kez help exit-codes", _help),
)
NAMES = frozenset(command.name for command in COMMANDS)


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
    for command in COMMANDS:
        if wanted in (None, command.name):
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
            one.set_defaults(run=command.run)
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
