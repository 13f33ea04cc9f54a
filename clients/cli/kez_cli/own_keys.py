"""identity: keys made and read without kezd, for accounts, servers and scripts that have none.

Not here: the identity that kezd holds (`identity`). Invariants: no daemon, no network; a secret is shown once or
is in a new file that only its owner reads, never both; what is read is never repeated.
"""

import argparse
import os

from kez_cli.command import Command, Verbs
from kez_cli.context import Context, Json, read_secret_file, write_new_secret_file
from kez_cli.terminal import note
from kezd.client.offline import OwnKey, key_of_entropy, key_of_nostr_secret, key_of_secret

ENTROPY = {24: 32, 12: 16}
"""Bytes behind so many words."""


def identity(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


def _new(context: Context) -> int:
    options = context.options
    if options.nostr:
        key = key_of_nostr_secret(os.urandom(32))
    else:
        key = key_of_entropy(os.urandom(ENTROPY[options.words]))
    return _show(context, key, options.out)


def _mnemonic(context: Context) -> int:
    words = key_of_entropy(os.urandom(ENTROPY[context.options.words])).secret
    if context.json:
        context.print_json({"words": words.split()})
    else:
        context.terminal.line(words)
    return 0


def _from_mnemonic(context: Context) -> int:
    options = context.options
    key = key_of_secret(read_secret(context, options.file))
    if options.out:
        return _show(context, key, options.out)
    if context.json:
        context.print_json({"primary": key.primary})
    else:
        context.terminal.line(key.primary)
    return 0


def read_secret(context: Context, path: str | None) -> str:
    """Words or nsec of a file, of stdin (`-`), or typed without being shown."""
    if path is None and context.interactive():
        import getpass  # only here: most commands never need it

        return getpass.getpass("Recovery words, or nsec (not shown): ")
    return read_secret_file(path or "-")


def _show(context: Context, key: OwnKey, out: str | None) -> int:
    """The primary, and the secret where it was not written to a file."""
    shown: Json = {"primary": key.primary}
    if out:
        write_new_secret_file(out, key.secret + "\n")
    elif key.primary.startswith("nostr:"):
        shown["nsec"] = key.secret
    else:
        shown["words"] = key.secret.split()
    if context.json:
        context.print_json(shown | ({"file": out} if out else {}))
        return 0
    context.terminal.pairs([("primary", key.primary), ("nsec", shown.get("nsec"))])
    if "words" in shown:
        context.terminal.words(shown["words"])
    if out:
        note(f"Its secret is in {out}. Whoever has that file is this identity.")
    else:
        note(
            "This is the only time that it is shown: kezd keeps nothing of it. Whoever has it is this identity."
        )
    return 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    verb = Verbs(parser).add
    new = verb("new", _new, "make a key, and show it once or write it to a file")
    new.add_argument("--nostr", action="store_true", help="a nostr key: it claims accounts, and cannot chat")
    mnemonic = verb("mnemonic", _mnemonic, "print new recovery words, and nothing else")
    for one in (new, mnemonic):
        one.add_argument("--words", type=int, choices=(12, 24), default=24, help="how many (default: 24)")
    back = verb("from-mnemonic", _from_mnemonic, "tell which primary recovery words (or an nsec) make")
    back.add_argument("file", nargs="?", metavar="FILE", help="where they are (-: stdin; none: ask)")
    for one in (new, back):
        one.add_argument(
            "--out", "--words-file", metavar="FILE", help="write the secret to a new file, and do not show it"
        )


COMMANDS = (
    Command(
        "identity",
        identity,
        "make keys and read words without kezd: new, mnemonic, from-mnemonic",
        "  kez identity new --out server.key\n  kez identity new --nostr\n"
        "  kez identity mnemonic > words.txt\n  kez identity from-mnemonic words.txt",
        _arguments,
    ),
)
