"""profile: several identities in one kezd."""

import argparse
import os

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.default_profile import DEFAULT, choose_profile
from kez_cli.terminal import note, show
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug


def profile(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


def connect_anyway(context: Context) -> Client:
    """A connection for what is about the daemon: to any profile, when the chosen one is gone."""
    try:
        return context.connect()
    except RequestError as error:
        known = error.detail.get("known")
        if error.slug is not Slug.UNKNOWN_PROFILE or not known:
            raise
        return context.connect(known[0])


def _list(context: Context) -> int:
    with connect_anyway(context) as client:
        items = client.call("profiles.list")["items"]
    if context.json:
        context.print_json({"items": items, "current": context.options.profile})
        return 0
    for item in items:
        mark = "*" if item["name"] == context.options.profile else " "
        context.terminal.line(f"{mark} {item['name']:<16} {_standing(context, item)}")
    return 0


def _standing(context: Context, item: Json) -> str:
    if item["state"] == "locked":
        return context.terminal.bad("locked") + (f"  {item['trouble']}" if item.get("trouble") else "")
    if item["state"] == "empty" or item.get("identity") in (None, "none"):
        return context.terminal.faint("empty")
    handle = item.get("handle")
    who = "@" + show(handle) if handle else show(item.get("primary") or "")
    return f"{context.terminal.strong(who)}  {item['identity']}  {item.get('link') or ''}".rstrip()


def _create(context: Context) -> int:
    name = context.options.name
    with connect_anyway(context) as client:
        item = client.call("profiles.create", name=name)
    if context.options.switch:
        choose_profile(os.environ, name)
    if context.json:
        context.print_json(item)
        return 0
    context.terminal.line(f"The profile {context.terminal.strong(name)} is there.")
    prefix = "kez" if context.options.switch else f"kez --profile {name}"
    note(f"Next: {prefix} register HANDLE, or {prefix} restore.")
    return 0


def _switch(context: Context) -> int:
    name = context.options.name
    with connect_anyway(context) as client:
        names = [item["name"] for item in client.call("profiles.list")["items"]]
    if name not in names:
        raise RequestError(Slug.UNKNOWN_PROFILE, hint=f"known: {', '.join(names)}")
    choose_profile(os.environ, name)
    if context.json:
        context.print_json({"current": name})
    else:
        context.terminal.line(f"kez means {context.terminal.strong(name)} from now on.")
    return 0


def _remove(context: Context) -> int:
    options = context.options
    if not options.yes:
        if not context.interactive():
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                f"removing deletes keys, messages and contacts of the profile {options.name}",
                hint="kez profile remove --yes NAME",
            )
        note(f"This deletes the profile {options.name}: its keys, its messages, its contacts.")
        note("Only its recovery words or a backup bring it back.")
        if input("Type the profile's name to go on: ").strip() != options.name:
            raise RequestError(Slug.INVALID_ARGUMENT, "that was not the name; nothing was deleted")
        context.agree("profiles.remove")
    with connect_anyway(context) as client:
        client.call("profiles.remove", name=options.name, force=options.force)
    if options.name == options.profile != DEFAULT:
        choose_profile(os.environ, DEFAULT)
    if context.json:
        context.print_json({"removed": options.name})
    else:
        context.terminal.line(f"The profile {options.name} is gone.")
    return 0


def _verbs(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, run: object, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.set_defaults(verb=run)
        return one

    verb("list", _list, "show all profiles; * is the one that kez means")
    create = verb("create", _create, "make an empty profile")
    create.add_argument("name", help="1 to 32 of a-z 0-9 _ -")
    create.add_argument("--switch", action="store_true", help="and let kez mean it from now on")
    verb("switch", _switch, "choose the profile that kez means when no --profile is given").add_argument(
        "name"
    )
    remove = verb("remove", _remove, "stop a profile and delete it with everything in it")
    remove.add_argument("name")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.add_argument(
        "--force", action="store_true", help="also a live identity, a locked profile, or the last one"
    )


COMMANDS = (
    Command(
        "profile",
        profile,
        "several identities in one kezd: list, create, switch, remove",
        "  kez profile list\n  kez profile create work --switch\n  kez --profile work whoami\n"
        "  kez profile remove work",
        _verbs,
    ),
)
