"""add and contacts: whom the person knows."""

import argparse
from collections.abc import Callable

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.terminal import date, note, show

PAGE = 200
DONE = {
    "accept": "accepted",
    "block": "blocked",
    "refresh": "looked up again",
    "trust": "the new key is trusted",
    "keep_old": "the old key is kept",
}
"""What is said when a decision is carried out."""


def name_of(contact: Json) -> str:
    """How a contact is written: the handle, or the beginning of the key."""
    handle = contact.get("handle")
    return f"@{show(handle)}" if handle else str(contact["genesis"])[:24] + "…"


def add(context: Context) -> int:
    """Look a handle up, verify it, trust the key found first."""
    with context.connect() as client:
        contact = client.call("contacts.add", handle=context.options.handle)
    _print_contact(context, contact, heading="added")
    return 0


def contacts(context: Context) -> int:
    """List contacts, show one, or decide about one."""
    options = context.options
    decisions: dict[str, tuple[str, Json]] = {
        "accept": ("contacts.accept", {}),
        "block": ("contacts.block", {}),
        "refresh": ("contacts.refresh", {}),
        "trust": ("contacts.decide", {"decision": "trust_new"}),
        "keep_old": ("contacts.decide", {"decision": "keep_old"}),
    }
    chosen = next((name for name in decisions if getattr(options, name)), None)
    with context.connect() as client:
        if chosen is not None:
            method, params = decisions[chosen]
            contact = client.call(method, contact=getattr(options, chosen), **params)
            _print_contact(context, contact, heading=DONE[chosen])
        elif options.handle:
            _print_contact(context, client.call("contacts.show", contact=options.handle))
        else:
            _list(context, client.call)
    return 0


def _print_contact(context: Context, contact: Json, heading: str = "") -> None:
    if context.json:
        context.print_json(contact)
        return
    terminal = context.terminal
    suffix = f"  {terminal.faint('(' + heading + ')')}" if heading else ""
    terminal.line(terminal.strong(name_of(contact)) + suffix)
    terminal.pairs(
        [
            ("state", contact["state"]),
            ("primary", contact["primary"]),
            ("sigchain", f"{contact['chain_seq']} events, checked {date(contact.get('checked_at'))}"),
        ]
    )
    alarm = contact.get("alarm")
    if alarm:
        terminal.line(terminal.bad(f"ALARM {alarm['kind']}: {show(alarm['detail'])}"))
        note("Nothing is sent until you decide: kez contacts --trust HANDLE, or --keep-old HANDLE.")
    terminal.line("Safety words, the same on both sides (compare them by voice):")
    terminal.words(contact["safety_words"], numbered=False)


def _list(context: Context, call: Callable[..., Json]) -> None:
    contacts: list[Json] = []
    cursor: str | None = None
    while True:
        page = call("contacts.list", limit=PAGE, cursor=cursor)
        contacts += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    if context.json:
        context.print_json({"items": contacts, "next_cursor": None})
        return
    width = max((len(name_of(contact)) for contact in contacts), default=0)
    for contact in contacts:
        alarm = contact.get("alarm")
        mark = context.terminal.bad(f"  ALARM {alarm['kind']}") if alarm else ""
        context.terminal.line(f"{name_of(contact):<{width}}  {contact['state']}{mark}")
    if not contacts:
        note("No contacts yet: kez add HANDLE.")


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


COMMANDS = (
    Command(
        "add",
        add,
        "find somebody by handle and keep their key",
        "  kez add @bob\n  kez add bob@other.server",
        _add,
    ),
    Command(
        "contacts",
        contacts,
        "list contacts, show one, or decide about one",
        "  kez contacts\n  kez contacts @bob\n  kez contacts --accept @carol",
        _contacts,
    ),
)
