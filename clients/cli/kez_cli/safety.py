"""safety: compare the safety words with a contact, and keep what came of it.

The words say whether both hold each other's keys, or somebody stands between them. Not
here: working them out, and what a changed key does to the answer (the peer).
"""

import argparse

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.people import name_of
from kez_cli.terminal import date, note, show
from kezd.errors import RequestError, Slug, TrustError

HOW = (
    "Call them, or meet: read these words to each other, from the first to the last.",
    "Only if all twelve are the same, nobody stands between you. Do not send them in a message.",
)
WORDS_A_ROW = 3


def safety(context: Context) -> int:
    """Show the words, ask whether they match, remember the answer."""
    options = context.options
    with context.connect() as client:
        own = client.call("identity.show")
        contact = client.call("contacts.show", contact=options.handle)
        alarm = contact.get("alarm")
        if alarm:
            raise TrustError(
                Slug.KEY_CHANGED,
                f"an alarm stands about {name_of(contact)}: {show(alarm['detail'])}",
                hint=f"decide about it first: kez contacts {name_of(contact)}",
            )
        if not contact["safety_words"]:
            raise RequestError(Slug.NO_IDENTITY)
        if not context.json:
            _screen(context, own, contact)
        match = _answer(context)
        if match is not None:
            contact = client.call(
                "contacts.verify",
                contact=contact["genesis"],
                safety_words=contact["safety_words"],
                match=match,
            )
    if context.json:
        context.print_json(contact)
    elif match is not None:
        _print_outcome(context, contact, match=match)
    return 0


def _screen(context: Context, own: Json, contact: Json) -> None:
    terminal = context.terminal
    mine = f"@{show(own['handle'])}" if own.get("handle") else "you"
    terminal.line(f"{terminal.strong(mine)}  and  {terminal.strong(name_of(contact))}")
    terminal.line()
    words = contact["safety_words"]
    for start in range(0, len(words), WORDS_A_ROW):
        row = words[start : start + WORDS_A_ROW]
        cells = [
            f"{start + i + 1:2} {terminal.strong(word.upper())}{' ' * (9 - len(word))}"
            for i, word in enumerate(row)
        ]
        terminal.line("   " + "  ".join(cells).rstrip())
    terminal.line()
    for sentence in HOW:
        terminal.line(sentence)
    if contact.get("verified_at"):
        terminal.line(
            terminal.good(f"You compared them on {date(contact['verified_at'])}, and they matched.")
        )
    elif contact.get("reverify"):
        terminal.line(
            terminal.bad("You compared words before, but the key has changed since: compare these anew.")
        )


def _answer(context: Context) -> bool | None:
    """Yes, no, or None when there is nobody to ask and nothing was said."""
    if context.options.yes or context.options.no:
        return bool(context.options.yes)
    if not context.interactive():
        return None
    typed = input("Do they match? [y/N] ").strip().lower()
    if typed not in {"y", "yes"} and typed[:1] != "n":
        note("Nothing was noted down.")
        return None
    return typed[:1] == "y"


def _print_outcome(context: Context, contact: Json, *, match: bool) -> None:
    terminal = context.terminal
    if match:
        terminal.line(terminal.good(f"{name_of(contact)} is verified, until their key changes."))
        return
    terminal.line(terminal.bad(f"{name_of(contact)} is not verified."))
    note("Somebody may read along: tell them by another way, and send nothing that matters.")
    note(f"To stop hearing from this key: kez contacts --block {name_of(contact)}")


def _safety(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="whose key")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--yes", action="store_true", help="they match: remember it without asking")
    group.add_argument("--no", action="store_true", help="they do not: take back what was remembered")


COMMANDS = (
    Command(
        "safety",
        safety,
        "compare safety words with somebody",
        "  kez safety @bob\n  kez safety @bob --yes    # in scripts, after comparing",
        _safety,
    ),
)
