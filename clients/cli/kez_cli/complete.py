"""`kez __complete WORDS…`: what may stand where the cursor is; the shells' scripts ask it.

The words are those behind `kez` up to the cursor, the last one as far as it is typed. The
answer is one line that says what kind of word is wanted (`files`, `dirs` or `words`),
then one candidate a line, with a tab and a description where there is one.

Not here: the shells' own ways (`completions/`). Invariants: it answers within a moment,
says nothing on stderr, asks a daemon that runs and starts none, and its exit code is 0.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kez_cli.arguments import Argument, arguments_of, verbs_of
from kez_cli.default_profile import current_profile
from kez_cli.terminal import show
from kezd.client.sync import Client
from kezd.client.wire import FULL
from kezd.errors import KezdError

TIMEOUT = 0.5
"""Seconds that the daemon may take for an answer before the shell goes on without."""
PAGE = 500
Found = Iterator[tuple[str, str]]

KINDS = {
    "FILE": "files",
    "PATH": "files",
    "DIR": "dirs",
    "DIR|FILE.tar": "files",
    "HANDLE": "contacts",
    "CONTACT": "contacts",
    "METHOD": "methods",
    "METHODS": "methods",
    "handle": "contacts",
    "contact": "contacts",
    "profile": "profiles",
}
"""What completes a value, by what help calls it, or else by its name."""
SPECIAL = {
    ("add", "handle"): "nothing",
    ("register", "handle"): "nothing",
    ("help", "topic"): "topics",
    ("token revoke", "name"): "tokens",
    ("profile remove", "name"): "profiles",
    ("profile switch", "name"): "profiles",
    ("events", "consumer"): "consumers",
    ("events", "forget"): "consumers",
    ("token create", "for_profile"): "profiles",
    ("confirm", "allow"): "confirmations",
    ("confirm", "refuse"): "confirmations",
    ("verify", "what"): "checkable",
    ("claim publish", "subject"): "claims",
    ("claim remove", "subject"): "claims",
    ("sigchain add", "subject"): "claims",
    ("sigchain revoke", "subject"): "claims",
    ("claim authorize", "account"): "claims",
    ("claim forget", "account"): "credentials",
    ("unfollow", "who"): "follows",
}
"""Values whose name would mislead, by command and argument."""


class Place(NamedTuple):
    """Where the cursor is."""

    verb: str
    parser: argparse.ArgumentParser
    wants: Argument | None
    """An option before the cursor that wants a value."""
    given: int
    """Positional arguments before the cursor."""
    profile: str


def complete(words: Sequence[str]) -> int:
    """Print what fits."""
    lines = ["words"]
    try:
        kind, found = answer(list(words) or [""])
        lines = [kind, *(f"{value}\t{text}".rstrip("\t") for value, text in found)]
    except KezdError:
        lines = ["words"]  # the daemon is not there, or does not tell: nothing to say about it at a prompt
    print("\n".join(lines))
    return 0


def answer(words: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """The kind of word that is wanted, and the candidates that begin as it does."""
    *before, current = words
    home = _given(before, "--home-dir")
    if home:
        os.environ["KEZD_HOME"] = os.path.expanduser(home)  # noqa: PTH111 - pathlib costs start-up time
    place = _place(before)
    flag, equals, value = current.partition("=")
    if place.wants is None and equals and flag.startswith("--"):
        row = _option(place.parser, flag)
        kind, found = _values(place, row, value) if row is not None else ("words", [])
        return kind, [(f"{flag}={one}", text) for one, text in found]
    if place.wants is not None:
        return _values(place, place.wants, current)
    if current.startswith("-") and "--" not in before:
        return "words", [pair for pair in _options(place.parser) if pair[0].startswith(current)]
    positional = _positional(place)
    verbs = _verbs(place)
    if verbs or positional is None:
        return "words", [pair for pair in verbs if pair[0].startswith(current)]
    return _values(place, positional, current)


def _verbs(place: Place) -> list[tuple[str, str]]:
    from kez_cli.main import commands

    if not place.verb:
        return [(command.name, command.text) for command in commands()] if not place.given else []
    return [(name, text) for name, (text, _) in verbs_of(place.parser).items()] if not place.given else []


def _given(words: Sequence[str], flag: str) -> str | None:
    place = words.index(flag) + 1 if flag in words else len(words)
    return words[place] if place < len(words) else None


def _place(before: Sequence[str]) -> Place:
    from kez_cli.main import NAMES, build_parser

    # Without a command none is built: building all takes longer than a Tab may.
    parser = build_parser(next((word for word in before if word in NAMES), ""))
    verb, wants, index = "", None, 0
    options = True
    for word in before:
        if wants is not None and not (wants.many and word.startswith("-")):
            wants = wants if wants.many else None
            continue
        wants = None
        verbs = verbs_of(parser)
        if options and word == "--":
            options = False
        elif options and word.startswith("-") and len(word) > 1:
            row = _option(parser, word)
            wants = row if row is not None and row.metavar else None
        elif word in verbs and not index:
            parser, verb = verbs[word][1], f"{verb} {word}".strip()
        else:
            index += 1
    return Place(verb, parser, wants, index, _given(before, "--profile") or current_profile(os.environ))


def _option(parser: argparse.ArgumentParser, flag: str) -> Argument | None:
    return next((row for row in arguments_of(parser) if flag in row.flags), None)


def _options(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    return [(row.flags[-1], row.text) for row in arguments_of(parser) if row.flags]


def _positional(place: Place) -> Argument | None:
    rows = [row for row in arguments_of(place.parser) if not row.flags]
    if place.given < len(rows):
        return rows[place.given]
    return rows[-1] if rows and rows[-1].many else None


def _values(place: Place, row: Argument, current: str) -> tuple[str, list[tuple[str, str]]]:
    kind = SPECIAL.get((place.verb, row.name)) or KINDS.get(row.metavar) or KINDS.get(row.name, "nothing")
    if row.choices:
        return "words", [(choice, "") for choice in row.choices if choice.startswith(current)]
    if kind in ("files", "dirs"):
        return kind, []
    if kind == "topics":
        found = list(_topics())
    elif kind in SOURCES:
        with Client.connect(
            profile=place.profile, name="kez completion", timeout=TIMEOUT, token=FULL
        ) as client:
            found = list(SOURCES[kind](client, current))
    else:
        found = []
    return "words", [pair for pair in found if pair[0].startswith(current)]


# --- what the daemon knows -----------------------------------------------------------


def _contacts(client: Client, current: str) -> Found:
    at = "" if current and not current.startswith("@") else "@"
    for contact in client.call("contacts.list", limit=PAGE)["items"]:
        text = "ALARM" if contact.get("alarm") else contact["state"]
        if contact["handle"]:
            yield at + show(contact["handle"]), text
        if not contact["handle"] or current.startswith("ed"):
            yield contact["genesis"], text


def _methods(client: Client, _: str) -> Found:
    for row in client.call("rpc.discover")["document"]["methods"]:
        yield show(row["name"]), show(row["summary"])


def _profiles(client: Client, _: str) -> Found:
    for row in client.call("profiles.list")["items"]:
        yield show(row["name"]), show(row.get("handle") or "")


def _tokens(client: Client, _: str) -> Found:
    for row in client.call("tokens.list")["items"]:
        yield show(row["name"]), show(row.get("scope", ""))


def _consumers(client: Client, _: str) -> Found:
    for row in client.call("events.consumers")["items"]:
        yield show(row["name"]), ""


def _confirmations(client: Client, _: str) -> Found:
    for row in client.call("confirmations.list")["items"]:
        yield show(row["id"]), show(row["summary"])


def _claims(client: Client, _: str) -> Found:
    for row in client.call("claims.list")["items"]:
        yield show(row["subject"]), show(row["step"])


def _credentials(client: Client, _: str) -> Found:
    for name in client.call("claims.credentials")["accounts"]:
        yield show(name), ""


def _follows(client: Client, _: str) -> Found:
    for row in client.call("graph.follows")["items"]:
        name = "@" + show(row["handle"]) if row["handle"] else row["primary"]
        yield name, "changed" if row["broken"] else ""


def _checkable(client: Client, current: str) -> Found:
    yield "file", "look through a file, without kezd"
    yield from _contacts(client, current)
    yield from _claims(client, current)


def _topics() -> Found:
    from kez_cli.main import commands
    from kez_cli.topics import TOPICS

    for name, (text, _) in TOPICS.items():
        yield name, text
    for command in commands():
        yield command.name, command.text


SOURCES: dict[str, Callable[[Client, str], Found]] = {
    "contacts": _contacts,
    "methods": _methods,
    "profiles": _profiles,
    "tokens": _tokens,
    "consumers": _consumers,
    "confirmations": _confirmations,
    "claims": _claims,
    "credentials": _credentials,
    "follows": _follows,
    "checkable": _checkable,
}
