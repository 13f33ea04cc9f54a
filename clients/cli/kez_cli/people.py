"""add and contacts: whom the person knows."""

import argparse
from collections.abc import Callable

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.terminal import date, note, show
from kezd.errors import RequestError, Slug

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
            name = getattr(options, chosen)
            if method == "contacts.decide":
                params |= _decision(context, client.call("contacts.show", contact=name), chosen)
            contact = client.call(method, contact=name, **params)
            _print_contact(context, contact, heading=DONE[chosen])
        elif options.handle:
            _print_contact(context, client.call("contacts.show", contact=options.handle))
        else:
            _list(context, client.call)
    return 0


def _decision(context: Context, contact: Json, chosen: str) -> Json:
    """What the answer to an alarm carries: the key that the person saw.

    Raises:
        RequestError: there is nothing to decide, or nobody said which key is meant.
    """
    alarm = contact.get("alarm")
    if not alarm:
        raise RequestError(
            Slug.NOT_FOUND,
            f"no alarm stands about {name_of(contact)}: there is nothing to decide",
            hint=f"kez contacts {name_of(contact)}",
        )
    new = alarm.get("new_primary")
    if chosen != "trust" or not new:
        return {}
    if context.options.key:
        return {"expected_primary": context.options.key}
    if not context.interactive():
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "to trust a new key without being asked, say which",
            hint=f"compare safety words, then: kez contacts --trust {name_of(contact)} --key {show(new)}",
        )
    _print_alarm(context, alarm)
    if input(f"Trust this key as {name_of(contact)} from now on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise RequestError(Slug.CANCELLED, "nothing was decided, the alarm stands")
    return {"expected_primary": new}


def _print_alarm(context: Context, alarm: Json) -> None:
    terminal = context.terminal
    terminal.line(terminal.bad(f"ALARM {alarm['kind']}: {show(alarm['detail'])}"))
    if alarm.get("new_primary"):
        terminal.pairs([("new key", alarm["new_primary"])])
        terminal.line("Safety words of the new key (compare them by voice before you trust it):")
        terminal.words(alarm["new_safety_words"], numbered=False)


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
            ("verified", _verified(contact)),
            ("sigchain", f"{contact['chain_seq']} events, checked {date(contact.get('checked_at'))}"),
        ]
    )
    alarm = contact.get("alarm")
    if alarm:
        _print_alarm(context, alarm)
        note("Nothing is sent until you decide: kez contacts --trust HANDLE, or --keep-old HANDLE.")
    if alarm and alarm.get("new_primary"):
        return  # one set of words on a screen, those that matter now
    terminal.line("Safety words, the same on both sides (compare them by voice: kez safety HANDLE):")
    terminal.words(contact["safety_words"], numbered=False)


def _verified(contact: Json) -> str:
    if contact.get("verified_at"):
        return f"yes, on {date(contact['verified_at'])}"
    return "no longer: compare again" if contact.get("reverify") else "no: kez safety HANDLE"


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
        mark = context.terminal.good("  verified") if contact.get("verified_at") else ""
        if contact.get("reverify"):
            mark = context.terminal.bad("  compare safety words again")
        if alarm:
            mark = context.terminal.bad(f"  ALARM {alarm['kind']}")
        context.terminal.line(f"{name_of(contact):<{width}}  {contact['state']}{mark}")
    if not contacts:
        note("No contacts yet: kez add HANDLE.")


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="@bob, bob@server, or what their QR code says (kez:bob@server?key=…)")


def _contacts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", nargs="?", help="show this contact, with safety words")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--accept", metavar="HANDLE", help="accept a stranger's message request")
    group.add_argument("--block", metavar="HANDLE", help="drop what they send from now on")
    group.add_argument("--trust", metavar="HANDLE", help="after an alarm: trust the new key")
    group.add_argument("--keep-old", metavar="HANDLE", help="after an alarm: stay with the old key")
    parser.add_argument("--key", metavar="PRIMARY", help="the new key that --trust is about (none: ask)")
    group.add_argument("--refresh", metavar="HANDLE", help="look them up and check their sigchain now")


COMMANDS = (
    Command(
        "add",
        add,
        "find somebody by handle and keep their key",
        '  kez add @bob\n  kez add bob@other.server\n  kez add "kez:bob@other.server?key=ed25519:…"',
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
