"""help: what is not about one command."""

import argparse
from collections.abc import Callable

from kez_cli.command import Command
from kez_cli.context import Context
from kez_cli.terminal import note, show
from kezd.errors import TABLE, RequestError, Slug

SCRIPTING = """\
Every command takes --json: the result of the RPC method of the same name, one document
on one line; `kez listen --json` prints one event a line. People's messages go to stderr.

  kez register alice --words-file ~/words.txt     nobody is asked anything
  kez restore --words-file - < words.txt
  echo "$REPORT" | kez send @bob --wait delivered --timeout 60
  kez send @bob "once" --idempotency-key job-17   repeat it as often as you like
  kez listen --json --since EPOCH:SEQ             misses nothing that came meanwhile
  kez rpc daemon.health                           any method; kez rpc --list tells them

A vault without a keyring: --passphrase-file FILE, or - for stdin.
With --json an error is one JSON object on stderr: {"error": {"slug", "message", "hint"}}.
Exit codes: kez help exit-codes.
"""

FILES = """\
KEZD_HOME        everything of one installation in one directory (or --home-dir)
otherwise        $XDG_CONFIG_HOME/kezd/config.toml, $XDG_DATA_HOME/kezd, $XDG_STATE_HOME/kezd,
                 and the socket $XDG_RUNTIME_DIR/kezd/kezd.sock
kezd config      every setting, its value, and where it comes from
NO_COLOR         no colour (or --color never)
"""


MANUAL = """\
man kez          this command line, with every option
man kezd         the daemon
man kezd-home    the home server

They come with the package, in share/man/man1 beside its bin: pipx shows them to man by itself;
elsewhere add the directory to MANPATH, or read one with: man -l PREFIX/share/man/man1/kez.1
"""


def help_topic(context: Context) -> int:
    """Print a topic, or the list of commands."""
    topic = context.options.topic
    parser = context.options.build_parser()
    if topic is None:
        parser.print_help()
    elif topic in TOPICS:
        context.terminal.line(TOPICS[topic][1]().rstrip())
    elif topic in context.options.names:
        from kez_cli.arguments import verbs_of  # only here: it is read for help alone

        verbs_of(parser)[topic][1].print_help()
    else:
        note(f"Topics: {', '.join(TOPICS)}, and every command.")
        raise _unknown(topic, [*TOPICS, *context.options.names])
    return 0


def _unknown(topic: str, names: list[str]) -> RequestError:
    from kez_cli.overview import closest  # only here: it costs start-up time

    meant = ", ".join(f"kez help {name}" for name in closest(topic, sorted(names)))
    hint = f"did you mean: {meant}" if meant else ""
    return RequestError(Slug.NOT_FOUND, f"no help on {show(topic)!r}", hint=hint)


def exit_codes() -> str:
    """The table of exit codes with the slugs behind each."""
    meanings = {
        1: "it did not work",
        2: "ask differently",
        3: "kezd does not answer",
        4: "locked, or not allowed",
        5: "there is no such thing",
        6: "it conflicts with what is",
        7: "the network or the home server",
        8: "something does not verify: a person has to look",
        9: "too much at once",
        70: "a bug in kezd",
        130: "interrupted",
    }
    by_code: dict[int, list[str]] = {code: [] for code in meanings}
    for slug, info in TABLE.items():
        by_code[info.exit_code].append(slug.value)
    lines = ["  0  done"]
    for code, slugs in sorted(by_code.items()):
        lines.append(f"{code:3}  {meanings[code]}")
        lines += [f"       {slug}" for slug in slugs]
    return "\n".join(lines)


TOPICS: dict[str, tuple[str, Callable[[], str]]] = {
    "exit-codes": ("what the exit code of a command means", exit_codes),
    "scripting": ("kez in scripts", lambda: SCRIPTING),
    "files": ("where everything is", lambda: FILES),
    "man": ("the manual pages", lambda: MANUAL),
}
"""What there is help on beside the commands: in a few words, and the text."""


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", help=f"a command, or: {', '.join(TOPICS)}")


COMMANDS = (Command("help", help_topic, "help on a command or a topic", "  kez help exit-codes", _help),)
