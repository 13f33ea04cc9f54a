"""backup, export: a profile in one sealed file, and a person's own data in readable ones."""

import argparse
import os

from kez_cli.command import Command
from kez_cli.context import Context, Json, ask_passphrase, read_secret_file
from kez_cli.default_profile import current_profile
from kez_cli.new_file import archive_unpacked, opened_new, opened_old, refuse_existing
from kez_cli.terminal import date, note, show
from kezd.client.sync import Client
from kezd.errors import AccessError, RequestError, Slug

STRENGTH = (
    "Whoever has the file can try passphrases for years, so take a long one: six words at random are good."
)


def backup(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


def _passphrase(context: Context, *, new: bool) -> str:
    if context.options.passphrase_file:
        return read_secret_file(context.options.passphrase_file)
    if not context.interactive():
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "a backup needs a passphrase",
            hint="give --passphrase-file FILE (-: stdin)",
        )
    import getpass  # only here: most commands never need it

    if not new:
        return getpass.getpass("Passphrase of the backup: ")
    note(STRENGTH)
    first = getpass.getpass("Passphrase for the backup: ")
    if getpass.getpass("Once more: ") != first:
        raise RequestError(Slug.INVALID_ARGUMENT, "the two passphrases differ")
    return first


def _call(context: Context, client: Client, method: str, descriptor: int, **params: object) -> Json:
    try:
        return client.call_long(
            method, context.terminal.progress, descriptors=[descriptor], file={"fd": 0}, **params
        )
    finally:
        context.terminal.end_progress()


def _create(context: Context) -> int:
    options = context.options
    if options.file != "-" and not options.force:
        refuse_existing(options.file)
    passphrase = _passphrase(context, new=True)
    with context.connect() as client, opened_new(options.file, replace=options.force) as descriptor:
        result = _call(context, client, "backup.create", descriptor, passphrase=passphrase)
    if options.file == "-":
        return 0
    if context.json:
        context.print_json({**result, "path": os.path.abspath(options.file)})  # noqa: PTH100 - as elsewhere
        return 0
    context.terminal.line(f"{show(options.file)}  {_megabytes(result['bytes'])}")
    _show_contents(context, result["contents"])
    note(f"Look whether it can be read: kez backup verify {show(options.file)}")
    return 0


def _verify(context: Context) -> int:
    passphrase = _passphrase(context, new=False)
    with context.connect() as client, opened_old(context.options.file) as descriptor:
        result = _call(context, client, "backup.verify", descriptor, passphrase=passphrase)
    if context.json:
        context.print_json(result)
        return 0
    context.terminal.line(context.terminal.good("whole and readable") + f"  {_megabytes(result['bytes'])}")
    _show_contents(context, result["contents"])
    return 0


def _restore(context: Context) -> int:
    options = context.options
    params: Json = {"passphrase": _passphrase(context, new=False)}
    if options.vault_passphrase_file:
        params["vault_passphrase"] = read_secret_file(options.vault_passphrase_file)
    with context.connect() as client:
        try:
            result = _restore_once(context, client, params)
        except AccessError as error:
            if error.slug is not Slug.PASSPHRASE_NEEDED or not context.interactive():
                raise
            result = _restore_once(context, client, {**params, "vault_passphrase": ask_passphrase(new=True)})
        live = result["state"] == "superseded" and _wants_takeover(context)
        if live:
            context.agree("identity.restore")
            result["state"] = client.call("identity.restore")["state"]
    if context.json:
        context.print_json(result)
        return 0
    context.terminal.line("Restored.")
    _show_contents(context, result["contents"])
    if live:
        note("This installation is the live one now. Any other one stops and says why.")
    elif result["state"] == "superseded":
        profile = context.options.profile
        which = "" if profile == current_profile(os.environ) else f"--profile {profile} "
        note(f"Nothing is sent or received here until you say so: kez {which}restore --takeover")
    return 0


def _restore_once(context: Context, client: Client, params: Json) -> Json:
    with opened_old(context.options.file) as descriptor:
        return _call(context, client, "backup.restore", descriptor, **params)


def _wants_takeover(context: Context) -> bool:
    if context.options.takeover or not context.interactive():
        return bool(context.options.takeover)
    note("Another installation of this identity may be live. Only one can be.")
    return input("Let this one take over? [y/N] ").strip().lower() in ("y", "yes")


def _show_contents(context: Context, contents: Json) -> None:
    handle = contents.get("handle")
    context.terminal.pairs(
        [
            ("identity", f"@{handle}" if handle else contents.get("primary")),
            ("made", date(contents["created_at"])),
            ("by", f"kezd {contents['kezd']}, profile {contents['profile']}"),
            ("holds", f"{contents['messages']} messages, {contents['contacts']} contacts"),
            (
                "newest message",
                date(contents["newest_message_at"]) if contents["newest_message_at"] else None,
            ),
        ]
    )


def export(context: Context) -> int:
    """Write readable files."""
    target = context.options.target
    note("What is written is NOT encrypted: whoever reads it reads your messages.")
    archive = target == "-" or target.endswith(".tar")
    opening = opened_new(target) if archive else archive_unpacked(target.rstrip("/"))
    with context.connect() as client, opening as descriptor:
        result = _call(context, client, "export.create", descriptor)
    if target == "-":
        return 0
    if context.json:
        context.print_json({**result, "path": os.path.abspath(target)})  # noqa: PTH100 - as elsewhere
    else:
        context.terminal.line(
            f"{show(target)}  {result['messages']} messages in {result['conversations']} conversations,"
            f" {result['contacts']} contacts"
        )
        note("README.txt in it explains the files.")
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _verbs(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, run: object, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.set_defaults(verb=run)
        one.add_argument("file", metavar="FILE", help="such as kez.backup (-: stdout or stdin)")
        one.add_argument(
            "--passphrase-file", metavar="FILE", help="its content is the backup's passphrase (-: stdin)"
        )
        return one

    create = verb("create", _create, "write keys, messages and contacts to a sealed file, while kezd runs")
    create.add_argument("--force", action="store_true", help="overwrite a file of that name")
    create.add_argument("--yes", action="store_true", help="do not ask whether you mean it")
    verb("verify", _verify, "look through a backup to its last byte, and say what is in it")
    restore = verb("restore", _restore, "bring a backup into this profile, which must be empty")
    restore.add_argument(
        "--vault-passphrase-file", metavar="FILE", help="for the new vault, where no keyring is"
    )
    restore.add_argument(
        "--takeover", action="store_true", help="be the live installation at once; any other one stops"
    )


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="DIR|FILE.tar", help="a new directory, or a new tar file (-: stdout)"
    )
    parser.add_argument("--format", choices=("jsonl",), default="jsonl", help="JSON lines, and text beside")


COMMANDS = (
    Command(
        "backup",
        backup,
        "a profile in one sealed file: create, verify, restore",
        "  kez backup create ~/kez.backup\n  kez backup verify ~/kez.backup\n"
        "  kez --profile new backup restore ~/kez.backup --takeover",
        _verbs,
    ),
    Command(
        "export",
        export,
        "write your own data to files that need no kezd (not encrypted)",
        "  kez export ~/kez-export\n  kez export ~/kez-export.tar",
        _export,
    ),
)
