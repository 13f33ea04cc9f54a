"""id, find, follow, unfollow, follows: who somebody is, by what they can prove.

Not here: contacts (`people`), which is whom one writes to. Everything is checked by kezd itself.
"""

import argparse

from kez_cli.command import Command, add_yes, no_arguments
from kez_cli.context import Context, Json
from kez_cli.states import Row, exit_code, row_of, table
from kez_cli.terminal import age, date, note, now, plain
from kezd.errors import RequestError, Slug


def id_(context: Context) -> int:
    """A profile: key, sigchain, every proof with its state and age."""
    who = context.options.who
    with context.connect() as client:
        if who is None:
            who = _self(client.call("identity.show"))
        profile = context.long_call(client, "graph.show", who=who, fresh=context.options.fresh)
    if context.json:
        context.print_json(profile)
    else:
        _print_profile(context, profile)
    statuses = [claim["status"] for claim in profile["claims"]]
    return exit_code([*statuses, *([profile["alarm"]] if profile.get("alarm") else [])])


def _self(identity: Json) -> str:
    if not identity.get("primary"):
        raise RequestError(Slug.NO_IDENTITY)
    return str(identity.get("handle") or identity["primary"])


def _print_profile(context: Context, profile: Json) -> None:
    terminal, at = context.terminal, now()
    name = f"@{plain(profile['handle'])}" if profile.get("handle") else "(no handle)"
    terminal.line(terminal.strong(name))
    rotated = profile["current"] if profile["current"] != profile["primary"] else None
    since = profile.get("followed_since")
    terminal.pairs(
        [
            ("primary", plain(profile["primary"])),
            ("signs now with", plain(rotated or "")),
            ("sigchain", f"{profile['chain_seq']} events"),
            ("followed", f"since {date(since)}" if since else None),
        ]
    )
    if profile.get("alarm"):
        kind = {
            "fork": "two histories of this sigchain are shown",
            "rollback": "its server hides what was seen",
        }
        terminal.line(terminal.bad(f"ALARM {profile['alarm']}: {kind.get(profile['alarm'], '')}"))
    if profile.get("follow_broken"):
        terminal.line(terminal.bad(f"Not as you followed them: {plain(profile['follow_broken'])}"))
    if profile.get("chain_trouble"):
        terminal.line(terminal.doubtful(f"? the sigchain is an older one: {plain(profile['chain_trouble'])}"))
    terminal.line()
    table(terminal, [row_of(claim) for claim in profile["claims"]], at)
    if not profile["claims"]:
        note("They claim no other accounts.")
    if profile.get("more"):
        note(f"{profile['more']} more are not shown.")


def find(context: Context) -> int:
    """Who is that? By what they have published."""
    options = context.options
    params: Json = {"subject": options.subject}
    if options.server:
        params["server"] = options.server
    with context.connect() as client:
        result = context.long_call(client, "graph.find", **params)
    items = result["items"]
    if context.json:
        context.print_json(result)
        return _found(result)
    for text in result.get("left", []):
        note(f"could not be asked: {plain(text)}")
    rows = [_candidate(item) for item in items]
    table(context.terminal, rows, now())
    if not items and result.get("left"):
        note(f"kez: nobody was found as {plain(options.subject)} where it could be asked")
    elif not items:
        note(f"kez: nobody says that they are {plain(options.subject)}")
    for item in items:
        if item["check"]["status"] == "valid" and item.get("handle"):
            note(f"Add them: kez add @{plain(item['handle'])}")
    return _found(result)


def _found(result: Json) -> int:
    """0 when somebody holds; else what could not be checked before what is not there."""
    codes = [exit_code([item["check"]["status"]]) for item in result["items"]]
    if not codes:
        return 7 if result.get("left") else 5
    return min(codes)


def _candidate(item: Json) -> Row:
    name = f"@{item['handle']}" if item.get("handle") else item["primary"]
    return row_of(item["check"])._replace(subject=name)


def follow(context: Context) -> int:
    """Keep a signed picture of somebody, and be told when it holds no more."""
    with context.connect() as client:
        result = context.long_call(client, "graph.follow", who=context.options.who)
    if context.json:
        context.print_json(result)
        return 0
    context.terminal.line(f"You follow {context.terminal.strong(_name(result))}.")
    table(context.terminal, [Row(subject, status) for subject, status in result["claims"].items()], now())
    note("You are told when this holds no more: kez notify, kez listen, kez follows.")
    return 0


def unfollow(context: Context) -> int:
    """Follow somebody no longer."""
    with context.connect() as client:
        result = client.call("graph.unfollow", who=context.options.who)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(f"You follow {plain(context.options.who)} no longer.")
    return 0


def follows(context: Context) -> int:
    """Everybody whom one follows, and whether they are still as they were."""
    with context.connect() as client:
        items = client.call("graph.follows")["items"]
    broken = any(item.get("broken") for item in items)
    if context.json:
        context.print_json({"items": items})
        return 8 if broken else 0
    if not items:
        note("You follow nobody yet: kez follow HANDLE.")
    at, terminal = now(), context.terminal
    for item in items:
        since = f"followed {age(item['since'], at)}"
        terminal.line(f"{terminal.strong(_name(item))}  {terminal.faint(since)}")
        if item.get("broken"):
            terminal.line("  " + terminal.bad(plain(item["broken"])))
        table(terminal, [Row(subject, status) for subject, status in item["claims"].items()], at)
    return 8 if broken else 0


def _name(item: Json) -> str:
    return f"@{plain(item['handle'])}" if item.get("handle") else plain(item["primary"])


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("who", nargs="?", metavar="HANDLE", help="@alice, or a primary (none: yourself)")
    parser.add_argument("--fresh", action="store_true", help="look again, whatever was found lately")


def _find(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", help="github:alice, dns:example.com, …")
    parser.add_argument("--server", metavar="HOST", help="whose home server is asked (default: your own)")


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("who", metavar="HANDLE", help="@alice, or a primary")


def _follow(parser: argparse.ArgumentParser) -> None:
    _who(parser)
    add_yes(parser)


COMMANDS = (
    Command(
        "id",
        id_,
        "who somebody is: every proof, its state and its age",
        "  kez id @alice\n  kez id @alice --fresh\n  kez id    # how others see you",
        _id,
    ),
    Command(
        "find",
        find,
        "find somebody by an account or a domain of theirs",
        "  kez find github:alice\n  kez find dns:example.com --server kez.lat",
        _find,
    ),
    Command(
        "follow",
        follow,
        "keep a signed picture of somebody, and be told when it holds no more",
        "  kez follow @alice",
        _follow,
    ),
    Command("unfollow", unfollow, "follow somebody no longer", "  kez unfollow @alice", _who),
    Command(
        "follows",
        follows,
        "whom you follow, and whether they are still as they were",
        "  kez follows\n  kez follows --json",
        no_arguments,
    ),
)
