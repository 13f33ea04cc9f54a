"""token, confirm, audit: what other programs may do, and what they did."""

import argparse
from typing import TYPE_CHECKING

from kez_cli.command import Command, add_yes, duration
from kez_cli.context import Context, Json, is_yes
from kez_cli.terminal import date, note, show
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug

if TYPE_CHECKING:
    from collections.abc import Sequence

TOPIC = "confirmation"
PAGE = 200
ROWS = 50


def token(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


def _create(context: Context) -> int:
    options = context.options
    params: Json = {"name": options.name, "scope": options.scope}
    if options.expires is not None:
        params["expires_in_s"] = options.expires
    if options.for_profile:
        params["profiles"] = options.for_profile
    with context.connect() as client:
        made = context.confirmed_call(client, "tokens.create", **params)
    if context.json:
        context.print_json(made)
        return 0
    context.terminal.line(made["token"])
    item = made["item"]
    until = f"until {date(item['expires_at'])}" if item["expires_at"] else "until it is revoked"
    note(f"This is the only time that it is shown. It gives the scope {item['scope']}, {until}.")
    return 0


def _list(context: Context) -> int:
    items: list[Json] = []
    with context.connect() as client:
        cursor: str | None = None
        while True:
            page = client.call("tokens.list", limit=PAGE, cursor=cursor)
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
    if context.json:
        context.print_json({"items": items})
        return 0
    if not items:
        note("There are no tokens. kez token create NAME --scope chat makes one.")
        return 0
    table = [("name", "scope", "for", "made", "expires", "last used")]
    for item in items:
        expires = "never" if item["expires_at"] is None else date(item["expires_at"])
        table.append(
            (
                show(item["name"]),
                item["scope"],
                ", ".join(item["profiles"]) if item["profiles"] else "all profiles",
                date(item["created_at"]),
                "EXPIRED" if item["expired"] else expires,
                date(item["last_used_at"]),
            )
        )
    _print_table(context, table)
    return 0


def _revoke(context: Context) -> int:
    with context.connect() as client:
        client.call("tokens.revoke", name=context.options.name)
    if context.json:
        context.print_json({"revoked": context.options.name})
    else:
        context.terminal.line(f"The token {show(context.options.name)} is no more; who had it was cut off.")
    return 0


def confirm(context: Context) -> int:
    """List what waits for a yes, answer it, or stay and be asked."""
    options = context.options
    with context.connect() as client:
        if options.watch:
            return _watch(context, client)
        if options.allow or options.refuse:
            return _answer(context, client, options.allow or options.refuse, allow=bool(options.allow))
        items = client.call("confirmations.list")["items"]
        if context.json:
            context.print_json({"items": items})
        elif not items:
            note("Nothing waits for a confirmation.")
        else:
            for item in items:
                _ask(context, client, item)
    return 0


def _answer(context: Context, client: Client, question: str, *, allow: bool) -> int:
    client.call("confirmations.answer", id=question, allow=allow)
    if context.json:
        context.print_json({"id": question, "allow": allow})
    else:
        context.terminal.line("Allowed." if allow else "Refused.")
    return 0


def _ask(context: Context, client: Client, item: Json) -> None:
    """Show one, and ask the person if there is one."""
    terminal = context.terminal
    terminal.line(terminal.strong(show(item["summary"])))
    who = f"{show(item['client'])}, pid {item['pid']}, {show(item['executable'])}"
    terminal.line(f"  {item['method']} for {who}, asked {date(item['asked_at'])}, id {item['id']}")
    if not context.interactive():
        return
    try:
        _answer(context, client, item["id"], allow=is_yes(input("  Allow it? [y/N] ")))
    except RequestError as error:
        if error.slug is not Slug.NOT_FOUND:
            raise
        note("  Too late: it was settled meanwhile.")


def _watch(context: Context, client: Client) -> int:
    if not context.json and not context.interactive():
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "there is nobody here to answer",
            hint="in scripts: kez confirm --watch --json, and kez confirm --allow ID",
        )
    asked: set[str] = set()
    if not context.json:
        note("Waiting for calls that need your yes. Ctrl-C ends this.")
    events = client.events([TOPIC])
    waiting = [{"type": "asked", "confirmation": i} for i in _list_waiting(client)]
    for body in waiting:
        _show_event(context, client, body, asked)
    for event in events:
        _show_event(context, client, event["event"], asked)
    return 0


def _list_waiting(client: Client) -> list[Json]:
    items: list[Json] = client.call("confirmations.list")["items"]
    return items


def _show_event(context: Context, client: Client, body: Json, asked: set[str]) -> None:
    """Each question once, also when it was in the list and comes as an event, too."""
    question = body["confirmation"]["id"]
    if context.json:
        context.print_json(body)
    elif body["type"] == "asked" and question not in asked:
        asked.add(question)
        _ask(context, client, body["confirmation"])


def audit(context: Context) -> int:
    """What was called, newest first."""
    options = context.options
    rows: list[Json] = []
    with context.connect() as client:
        cursor: str | None = None
        while len(rows) < options.limit:
            page = client.call("audit.list", limit=min(PAGE, options.limit - len(rows)), cursor=cursor)
            rows += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
    if context.json:
        context.print_json({"items": rows, "next_cursor": cursor})
        return 0
    if not rows:
        note("Nothing was called yet.")
        return 0
    table = [("last", "times", "method", "program", "pid", "executable", "scope", "outcome")]
    for row in rows:
        token_name = f" by token {show(row['token'])}" if row["token"] else ""
        yes = f", yes by {show(row['confirmed_by'])}" if row["confirmed_by"] else ""
        table.append(
            (
                date(row["last_at"]),
                str(row["count"]),
                show(row["method"]),
                show(row["client"]),
                str(row["pid"]),
                show(row["executable"]),
                row["scope"] + token_name,
                row["outcome"] + yes,
            )
        )
    _print_table(context, table)
    return 0


def _print_table(context: Context, table: "Sequence[tuple[str, ...]]") -> None:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for number, row in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = "  ".join(cells).rstrip()
        context.terminal.line(context.terminal.faint(line) if number == 0 else line)


def _token_verbs(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, run: object, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.set_defaults(verb=run)
        return one

    create = verb("create", _create, "make a token and show it once")
    create.add_argument("name", help="to know it by, such as the program that gets it")
    create.add_argument(
        "--scope",
        choices=("read", "chat", "full"),
        default="chat",
        help="read: look; chat: also write to contacts (default); full: all that you may",
    )
    create.add_argument(
        "--expires", type=duration, metavar="TIME", help="after this long: 12h, 30d, 4w, 1y (default: never)"
    )
    create.add_argument(
        "--for-profile", action="append", metavar="NAME", help="only for this profile; may be repeated"
    )
    add_yes(create)
    verb("list", _list, "show all tokens, without their secrets")
    verb("revoke", _revoke, "end a token, and the connections that have it").add_argument("name")


def _confirm(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--watch", action="store_true", help="stay, and ask as calls come")
    group.add_argument("--allow", metavar="ID", help="say yes to one")
    group.add_argument("--refuse", metavar="ID", help="say no to one")


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_rows, default=ROWS, metavar="N", help=f"rows (default: {ROWS})")


def _rows(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


COMMANDS = (
    Command(
        "token",
        token,
        "give other programs a scope of their own: create, list, revoke",
        "  kez token create statusbar --scope read --expires 30d\n  kez token list\n"
        "  kez token revoke statusbar",
        _token_verbs,
    ),
    Command(
        "confirm",
        confirm,
        "say yes or no to calls that use your key",
        "  kez confirm\n  kez confirm --watch    # a terminal that asks as they come\n"
        "  kez confirm --allow 5f3a91c07be2d846",
        _confirm,
    ),
    Command(
        "audit",
        audit,
        "which program called what, newest first",
        "  kez audit --limit 20\n  kez audit --json",
        _audit,
    ),
)
