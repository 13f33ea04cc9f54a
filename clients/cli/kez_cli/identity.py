"""register, restore, whoami, words, unlock: the person's own identity."""

import argparse
import os
import sys

from kez_cli.command import Command, add_passphrase, add_yes
from kez_cli.context import (
    Context,
    Json,
    read_secret_file,
    with_passphrase,
    write_new_secret_file,
)
from kez_cli.terminal import date, note, show
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug

ATTEMPTS = 3
"""Times that a person may mistype the words asked for."""


def register(context: Context) -> int:
    """Make a key, have its words written down, bind the handle."""
    with context.connect() as client:
        state = client.call("identity.show")["state"]
        if state in {"none", "unconfirmed"}:
            try:
                _make_key(context, client, state)
            except (KeyboardInterrupt, EOFError) as stop:
                stop.add_note("Nothing is lost: the same kez register goes on from here.")
                raise
        params: Json = {"handle": context.options.handle}
        if context.options.home_url:
            params["home_url"] = context.options.home_url
        context.terminal.progress(1, 2, "registering at the home server")
        identity = client.call("identity.register", **params)
    context.terminal.end_progress()
    if context.json:
        context.print_json(identity)
    else:
        context.terminal.line(f"You are {context.terminal.strong('@' + show(identity['handle']))}.")
        note("Next: kez add HANDLE, then kez send HANDLE TEXT.")
    return 0


def _make_key(context: Context, client: Client, state: str) -> None:
    options = context.options
    if not options.words_file and not context.interactive():
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "there is nobody here to write the recovery words down",
            hint="in scripts: kez register HANDLE --words-file NEW_FILE",
        )
    if options.words_file and state == "none" and os.path.lexists(options.words_file):
        raise RequestError(Slug.INVALID_ARGUMENT, f"{options.words_file} exists already")
    created = with_passphrase(context, client, "identity.create", new=True, words=options.words)
    words, ask = created["words"], created["ask"]
    if options.words_file:
        keep_words(options.words_file, words)
        note(f"The {len(words)} recovery words are in {options.words_file}. Move them to paper.")
        client.call("identity.confirm", answers={str(i): words[i - 1] for i in ask})
        return
    show_words(context, words)
    for attempt in range(ATTEMPTS):
        answers = {str(i): input(f"Word {i}: ").strip().lower() for i in ask}
        try:
            client.call("identity.confirm", answers=answers)
        except RequestError as error:
            if error.slug is not Slug.WORDS_NOT_CONFIRMED or attempt == ATTEMPTS - 1:
                raise
            note("Not these. Look at your paper, and try again.")
        else:
            return


def keep_words(path: str, words: list[str]) -> None:
    """Into a new file; the same words there already are of a call that was cut off."""
    line = " ".join(words)
    if os.path.lexists(path) and read_secret_file(path) == line:
        return
    write_new_secret_file(path, line + "\n")


def show_words(context: Context, words: list[str]) -> None:
    """On the screen, until they are on paper."""
    terminal = context.terminal
    terminal.line("These words are your identity. Write them on paper, in this order:")
    terminal.line()
    terminal.words(words)
    terminal.line()
    terminal.line("Whoever has them is you; without them nobody can bring you back.")
    try:
        input("Press Enter when they are on paper. ")
    finally:  # also after Ctrl-C
        if sys.stdout.isatty():
            # Up to the first line and clear from there, then the scroll-back, so that they do not stay in view.
            print("\x1b[H\x1b[2J\x1b[3J", end="", flush=True)


def restore(context: Context) -> int:
    """Bring the identity back from its words, or take over again."""
    options = context.options
    with context.connect() as client:
        params: Json = {"home_url": options.home_url} if options.home_url else {}
        if options.takeover:
            identity = client.call("identity.restore", **params)
        else:
            params["words"] = _words_to_restore(context)
            identity = with_passphrase(context, client, "identity.restore", new=True, **params)
    if context.json:
        context.print_json(identity)
    else:
        context.terminal.line(f"Welcome back, {context.terminal.strong('@' + show(identity['handle']))}.")
        note("Any other installation of this identity stops now and says why.")
    return 0


def _words_to_restore(context: Context) -> str:
    if context.options.words_file:
        return " ".join(read_secret_file(context.options.words_file).split())
    if not context.interactive():
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "no words were given",
            hint="kez restore --words-file FILE, or - to read them from stdin",
        )
    note("Type your 24 (or 12) words, separated by spaces:")
    return " ".join(input().split())


def whoami(context: Context) -> int:
    """Show the identity."""
    with context.connect() as client:
        identity = client.call("identity.show")
    if identity["state"] == "none":
        raise RequestError(Slug.NO_IDENTITY)
    if context.options.qr:
        from kez_cli.code import show_code  # only here: it costs start-up time

        return show_code(context, identity)
    if context.json:
        context.print_json(identity)
        return 0
    handle = identity.get("handle")
    context.terminal.line(context.terminal.strong(f"@{show(handle)}" if handle else "(no handle yet)"))
    registered = identity.get("registered_at")
    context.terminal.pairs(
        [
            ("state", identity["state"]),
            ("why", identity.get("reason")),
            ("primary", identity.get("primary")),
            ("nkey", identity.get("nkey")),
            ("home", identity.get("home_url")),
            ("registered", date(registered) if registered else None),
            ("sigchain", f"{identity.get('chain_seq') or 0} events"),
        ]
    )
    return 0


def words(context: Context) -> int:
    """Show the recovery words again, after a fresh unlock."""
    with context.connect() as client:
        result = with_passphrase(context, client, "identity.words", new=False)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.words(result["words"])
    return 0


def unlock(context: Context) -> int:
    """Open the vault of a locked daemon."""
    options = context.options
    with context.connect() as client:
        context.terminal.progress(0, None, "opening the vault")
        if options.passphrase_file:
            result = client.call("session.unlock", passphrase=read_secret_file(options.passphrase_file))
        else:
            result = with_passphrase(context, client, "session.unlock", new=False)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(f"The vault is {result['state']}.")
    return 0


def _register(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="alice, or alice@server")
    parser.add_argument(
        "--words", type=int, choices=(12, 24), default=24, help="recovery words (default: 24)"
    )
    parser.add_argument("--words-file", metavar="FILE", help="write the words to a new file and ask nothing")
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    add_passphrase(parser)


def _whoami(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--qr", action="store_true", help="as a QR code that others scan (as kez qr)")


def _restore(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--words-file", metavar="FILE", help="read the words from a file (-: stdin)")
    group.add_argument(
        "--takeover", action="store_true", help="this installation was superseded: take over again"
    )
    parser.add_argument("--home-url", metavar="URL", help="the home server (default: by configuration)")
    add_passphrase(parser)
    add_yes(parser)


def _words(parser: argparse.ArgumentParser) -> None:
    add_passphrase(parser)
    add_yes(parser)


COMMANDS = (
    Command(
        "register",
        register,
        "make an identity and register its handle",
        "  kez register alice\n  kez register alice --words-file ~/words.txt    # in scripts",
        _register,
    ),
    Command(
        "restore",
        restore,
        "bring an identity back from its words",
        "  kez restore\n  kez restore --words-file words.txt\n  kez restore --takeover    # be the live one again",
        _restore,
    ),
    Command("whoami", whoami, "show your handle and key", "  kez whoami --json\n  kez whoami --qr", _whoami),
    Command("words", words, "show your recovery words again", "  kez words", _words),
    Command("unlock", unlock, "open the vault of a locked kezd", "  kez unlock", add_passphrase),
)
