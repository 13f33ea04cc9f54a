"""kez: arguments in, exit code out.

Imports the standard library, `kezd.client.sync` and `kezd.errors`, and nothing heavier:
a shell prompt may call it. Each command is a function of `Context` that returns its exit
code or raises a `KezdError`, which the table in `kezd.errors` turns into one.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

from kez_cli import chat, identity, peer, people, topics
from kez_cli.context import Context
from kez_cli.terminal import note, show
from kezd.errors import KezdError

INTERRUPTED = 130
Command = Callable[[Context], int]


def _common() -> argparse.ArgumentParser:
    """Options that stand before or behind any command."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", help="print the RPC result as JSON")
    group.add_argument("--profile", metavar="NAME", help="which identity of this kezd (default: default)")
    group.add_argument("--home-dir", metavar="DIR", help="the KEZD_HOME of the kezd to talk to")
    group.add_argument(
        "--color", choices=("auto", "always", "never"), help="default: auto; NO_COLOR is obeyed"
    )
    return parser


class _Commands:
    """The sub-commands, one call each."""

    def __init__(self, parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
        self._common = common
        self.by_name: dict[str, argparse.ArgumentParser] = {}

    def add(self, name: str, run: Command, text: str, example: str = "") -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._subparsers.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"example:\n{example}" if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[self._common],
            allow_abbrev=False,
        )
        parser.set_defaults(run=run)
        self.by_name[name] = parser
        return parser


def build_parser() -> argparse.ArgumentParser:
    """All commands."""
    common = _common()
    parser = argparse.ArgumentParser(
        prog="kez",
        description="Talk to kezd, the peer that holds your identity.",
        epilog="begin with:  kez register HANDLE    more: kez help scripting | files | exit-codes",
        parents=[common],
        allow_abbrev=False,
    )
    commands = _Commands(parser, common)
    _add_identity(commands)
    _add_people(commands)
    _add_chat(commands)
    _add_peer(commands)
    helper = commands.add("help", topics.help_topic, "help on a command or a topic", "  kez help exit-codes")
    helper.add_argument("topic", nargs="?", help="a command, or: exit-codes, scripting, files")
    helper.set_defaults(parser=parser, commands=commands.by_name)
    return parser


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="the vault's passphrase, where no keyring is (-: stdin)"
    )


def _add_identity(commands: _Commands) -> None:
    parser = commands.add(
        "register",
        identity.register,
        "make an identity and register its handle",
        "  kez register alice\n  kez register alice --words-file ~/words.txt    # in scripts",
    )
    parser.add_argument("handle", help="alice, or alice@server")
    parser.add_argument(
        "--words", type=int, choices=(12, 24), default=24, help="recovery words (default: 24)"
    )
    parser.add_argument("--words-file", metavar="FILE", help="write the words to a new file and ask nothing")
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    _passphrase(parser)
    parser = commands.add(
        "restore",
        identity.restore,
        "bring an identity back from its words",
        "  kez restore\n  kez restore --words-file words.txt\n  kez restore --takeover    # be the live one again",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--words-file", metavar="FILE", help="read the words from a file (-: stdin)")
    group.add_argument(
        "--takeover", action="store_true", help="this installation was superseded: take over again"
    )
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    _passphrase(parser)
    commands.add("whoami", identity.whoami, "show your handle and key", "  kez whoami --json")
    parser = commands.add("words", identity.words, "show your recovery words again", "  kez words")
    _passphrase(parser)
    parser = commands.add("unlock", identity.unlock, "open the vault of a locked kezd", "  kez unlock")
    _passphrase(parser)


def _add_people(commands: _Commands) -> None:
    parser = commands.add(
        "add",
        people.add,
        "find somebody by handle and keep their key",
        "  kez add @bob\n  kez add bob@other.server",
    )
    parser.add_argument("handle")
    parser = commands.add(
        "contacts",
        people.contacts,
        "list contacts, show one, or decide about one",
        "  kez contacts\n  kez contacts @bob\n  kez contacts --accept @carol",
    )
    parser.add_argument("handle", nargs="?", help="show this contact, with safety words")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--accept", metavar="HANDLE", help="accept a stranger's message request")
    group.add_argument("--block", metavar="HANDLE", help="drop what they send from now on")
    group.add_argument("--trust", metavar="HANDLE", help="after an alarm: trust the new key")
    group.add_argument("--keep-old", metavar="HANDLE", help="after an alarm: stay with the old key")
    group.add_argument("--refresh", metavar="HANDLE", help="look them up and check their sigchain now")


def _add_chat(commands: _Commands) -> None:
    parser = commands.add(
        "send",
        chat.send,
        "send a message",
        '  kez send @bob "hello"\n  git diff | kez send @bob\n  kez send @bob done --wait delivered --timeout 30',
    )
    parser.add_argument("handle")
    parser.add_argument("text", nargs="?", help="the message (none, or -: read it from stdin)")
    parser.add_argument("--wait", choices=chat.STATES[1:], help="wait until it got that far")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="give up waiting after this long")
    parser.add_argument("--idempotency-key", metavar="KEY", help="calls with one key are one message")
    parser.add_argument("--dry-run", action="store_true", help="check everything, send nothing")
    parser = commands.add(
        "listen",
        chat.listen,
        "print what arrives, as it arrives",
        "  kez listen\n  kez listen --json | jq .event",
    )
    parser.add_argument("--since", metavar="EPOCH:SEQ", help="begin after this event (default: now)")
    parser.add_argument(
        "--topics",
        nargs="+",
        choices=("message", "contact", "identity", "link"),
        default=["message", "contact", "identity"],
        help="default: message contact identity",
    )
    parser = commands.add(
        "history",
        chat.history,
        "show a conversation, or list them",
        "  kez history\n  kez history @bob --limit 20",
    )
    parser.add_argument("handle", nargs="?")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="messages a page (default: 50)")
    parser.add_argument("--cursor", metavar="CURSOR", help="the page after this one, as the last page told")
    parser = commands.add("read", chat.read, "mark a conversation as seen", "  kez read @bob")
    parser.add_argument("handle")
    parser.add_argument("--up-to", type=int, metavar="POSITION", help="only up to this position")


def _add_peer(commands: _Commands) -> None:
    commands.add("status", peer.status, "state of the peer and its links", "  kez status --json")
    commands.add("doctor", peer.doctor, "look for what is wrong, with a fix for each finding", "  kez doctor")
    commands.add("version", peer.version, "versions of kez and kezd", "  kez version")
    parser = commands.add(
        "rpc",
        peer.rpc,
        "call any method of the API",
        '  kez rpc daemon.health\n  kez rpc contacts.show \'{"contact": "@bob"}\'',
    )
    parser.add_argument("method", help="rpc.discover lists them")
    parser.add_argument("params", nargs="?", default="{}", help="a JSON object (-: stdin)")


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
    parser = build_parser()
    options = _defaults(parser.parse_args(arguments))
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return int(options.run(Context(options)))
    except KezdError as error:
        return _report(error, as_json=options.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EOFError:
        note("kez: nothing was typed")
        return 2
    except BrokenPipeError:
        # The reader of our output left (`| head`): no traceback from the flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
