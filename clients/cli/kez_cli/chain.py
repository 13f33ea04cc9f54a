"""sigchain: the signed log of an identity: read it, check it, give it away, write into it.

`verify` needs neither kezd nor the network; the rest is kezd's work, and what signs asks first. A claim goes into
the chain by `kez claim publish`, which is what `add` does here, too.
"""

import argparse
import os
from collections.abc import Callable

from kez_cli.claims import add_claim, remove_claim
from kez_cli.command import Command, Run, Verbs, add_yes
from kez_cli.context import Context, Json
from kez_cli.identity import ATTEMPTS, keep_words, show_words
from kez_cli.new_file import opened_new
from kez_cli.terminal import date, note, plain
from kez_cli.verify import read_bytes
from kezd.client.offline import ChainCheck, check_chain
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug

SOURCES = ("web", "dns", "nostr")
"""Where copies of a sigchain are read."""
SHOWN = 20
"""Events that are shown unless more are asked for."""


def sigchain(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


# --- without kezd ------------------------------------------------------------------------


def _verify(context: Context) -> int:
    options = context.options
    chain = check_chain(read_bytes(options.file), options.primary)
    if context.json:
        value = chain._asdict()
        value["events"] = [event._asdict() for event in chain.events]
        value["subjects"] = [subject._asdict() for subject in chain.subjects]
        context.print_json(value)
        return 0
    terminal = context.terminal
    terminal.line(f"{terminal.good('It holds together')}: {len(chain.events)} events, {chain.size} bytes.")
    _print_check(context, chain)
    note("Whether this is the newest that its owner signed cannot be seen in a file: kez id HANDLE asks.")
    return 0


def _print_check(context: Context, chain: ChainCheck) -> None:
    rotated = chain.current if chain.current != chain.genesis else ""
    context.terminal.pairs(
        [
            ("of", chain.genesis),
            ("signs now with", rotated),
            ("last event", f"{chain.events[-1].seq}, {date(chain.events[-1].created_at * 1000)}"),
            ("its hash", chain.head),
            ("devices", ", ".join(map(plain, chain.devices))),
        ]
    )
    _print_subjects(context, [one.subject for one in chain.subjects], list(chain.revoked))
    rows = [(event.seq, event.created_at * 1000, f"{event.op} {event.about}") for event in chain.events]
    _print_events(context, rows, context.options.limit)


def _print_subjects(context: Context, added: "list[str]", revoked: "list[str]") -> None:
    terminal = context.terminal
    for subject in added:
        terminal.line(f"  says it is      {plain(subject)}")
    for subject in revoked:
        terminal.line(f"  {terminal.bad('took back')}       {plain(subject)}")


def _print_events(context: Context, rows: "list[tuple[int, int, str]]", limit: int) -> None:
    if len(rows) > limit:
        note(f"{len(rows) - limit} earlier events are not shown: --limit {len(rows)}")
    width = len(str(rows[-1][0])) if rows else 0
    for seq, created_at, says in rows[-limit:]:
        stamp = context.terminal.faint(date(created_at))
        context.terminal.line(f"{seq:{width}}  {stamp}  {plain(says)}".rstrip())


# --- reading -----------------------------------------------------------------------------


def _show(context: Context) -> int:
    with context.connect() as client:
        chain = client.call("sigchain.show", **_who(context), limit=context.options.limit)
    if context.json:
        context.print_json(chain)
        return 8 if chain.get("alarm") else 0
    terminal = context.terminal
    name = f"@{plain(chain['handle'])}" if chain.get("handle") else plain(chain["genesis"])
    terminal.line(terminal.strong(name))
    if chain.get("alarm"):
        terminal.line(terminal.bad(f"ALARM {plain(chain['alarm'])}"))
    head = chain.get("head")
    terminal.pairs(
        [
            ("primary", chain["genesis"]),
            ("signs now with", chain["key"] if chain["key"] != chain["genesis"] else ""),
            ("last event", f"{head['seq']}, {head['hash']}" if head else "none yet"),
            *(("device", f"{plain(row['device'])}  {plain(row['name'])}") for row in chain["devices"]),
            *(("reached at", plain(row["id"])) for row in chain["endpoints"]),
            *(
                ("former key", f"{row['key']} until {date(row['rotated_at'])}")
                for row in chain["former_keys"]
            ),
        ]
    )
    _print_subjects(context, [row["subject"] for row in chain["subjects"]], chain["revoked"])
    rows = [(row["seq"], row["created_at"], row["says"]) for row in chain["events"]]
    _print_events(context, rows, len(rows))
    if chain.get("earlier"):
        note(f"{chain['earlier']} earlier events are not shown: --limit {chain['earlier'] + len(rows)}")
    return 8 if chain.get("alarm") else 0


def _who(context: Context) -> Json:
    return {"who": context.options.who} if context.options.who else {}


def _export(context: Context) -> int:
    options = context.options
    params: Json = {**_who(context), "format": options.format}
    if options.domain:
        params["domain"] = options.domain
    with context.connect() as client:
        if options.out is None:
            result = client.call("sigchain.export", **params)
        else:
            result = _export_to(client, options.out, params)
    if context.json:
        context.print_json(result)
    elif options.out is None:
        context.terminal.line(result["text"].rstrip("\n"))
    else:
        events = result["head"]["seq"] if result.get("head") else 0
        context.terminal.line(f"{plain(options.out)}  {events} events")
    return 0


def _export_to(client: Client, out: str, params: Json) -> Json:
    """Written here, where the person is; kezd may run where it cannot, and writes only what is too long to send."""
    try:
        result = client.call("sigchain.export", **params)
    except RequestError as error:
        if error.slug is not Slug.TOO_LARGE:
            raise
        return client.call("sigchain.export", **params, path=os.path.abspath(out))  # noqa: PTH100 - pathlib costs start-up time
    with opened_new(out) as descriptor, os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
        file.write(result.pop("text"))
    return result | {"path": os.path.abspath(out)}  # noqa: PTH100 - as above


def _import(context: Context) -> int:
    data = read_bytes(context.options.file)
    with context.connect() as client:
        result = client.call("sigchain.import", text=data.decode("utf-8", "replace"))
    if context.json:
        context.print_json(result)
        return 0
    head, before = result.get("head"), result["known_before"]
    told = {
        "same": "It is what is known already",
        "newer": f"It is newer, and was taken in; {before} events were known",
        "older": f"It is an older copy; {before} events are known",
    }
    whose = "your own" if result["own"] else plain(result["genesis"])
    context.terminal.line(f"{told[result['verdict']]}: {head['seq'] if head else 0} events of {whose}.")
    return 0


def _check(context: Context) -> int:
    options = context.options
    source, _, at = options.copy.partition(":")
    if source not in SOURCES or not at:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "a copy is at web:DOMAIN, dns:DOMAIN or nostr:NPUB",
            hint="kez sigchain check web:example.com",
        )
    with context.connect() as client:
        context.terminal.progress(0, None, "reading the copy")
        result = client.call("sigchain.check", source=source, at=at, **_who(context))
    _print_copy(context, result)
    return 0


def _print_copy(context: Context, result: Json) -> None:
    if context.json:
        context.print_json(result)
        return
    told = {
        "same": "the same as what is known",
        "newer": "newer than what was known, and taken in",
        "older": "an older copy than what is known",
    }
    head = result.get("head")
    context.terminal.line(
        f"{plain(result['where'])}: {head['seq'] if head else 0} events,"
        f" {told.get(result['verdict'], plain(result['verdict']))}."
    )


# --- writing -----------------------------------------------------------------------------


def _publish(context: Context) -> int:
    options = context.options
    params: Json = {"to": options.to}
    if options.path:
        params["path"] = os.path.abspath(options.path)  # noqa: PTH100 - as above
    if options.account:
        params["account"] = options.account
    with context.connect() as client:
        context.terminal.progress(0, None, "publishing, and reading it back")
        result = context.confirmed_call(client, "sigchain.publish", **params)
    _print_copy(context, result)
    return 0


def _rotate(context: Context) -> int:
    options = context.options
    with context.connect() as client:
        if options.cancel:
            result = client.call("sigchain.rotate_cancel")
            context.print_json(result) if context.json else context.terminal.line("The new key is forgotten.")
            return 0
        if not options.words_file and not context.interactive():
            raise RequestError(
                Slug.INVALID_ARGUMENT,
                "there is nobody here to write the new recovery words down",
                hint="in scripts: kez sigchain rotate --words-file NEW_FILE --yes",
            )
        begun = context.confirmed_call(client, "sigchain.rotate", words=options.words)
        result = _confirm_words(context, client, begun)
    if context.json:
        context.print_json(result)
        return 0
    context.terminal.line(
        f"Your key is {plain(begun['primary'])} from now on; your old words open nothing new."
    )
    note("Your contacts follow by themselves, because the old key signed that it hands over.")
    return 0


def _confirm_words(context: Context, client: Client, begun: Json) -> Json:
    words, ask = begun["words"], begun["ask"]
    if context.options.words_file:
        keep_words(context.options.words_file, words)
        note(f"The {len(words)} new words are in {context.options.words_file}. Move them to paper.")
        answers = {str(i): words[i - 1] for i in ask}
        return context.confirmed_call(client, "sigchain.rotate_confirm", answers=answers)
    show_words(context, words)
    for attempt in range(ATTEMPTS):
        answers = {str(i): input(f"Word {i}: ").strip().lower() for i in ask}
        try:
            return context.confirmed_call(client, "sigchain.rotate_confirm", answers=answers)
        except RequestError as error:
            if error.slug is not Slug.WORDS_NOT_CONFIRMED or attempt == ATTEMPTS - 1:
                raise
            note("Not these. Look at your paper, and try again.")
    raise AssertionError("the last attempt raises or returns")


def _add_device(context: Context) -> int:
    options = context.options
    params = {"device": options.device, "name": options.name, "key": options.key}
    return _write(context, "sigchain.add_device", "is yours", capabilities=options.may or [], **params)


def _revoke_device(context: Context) -> int:
    return _write(context, "sigchain.revoke_device", "is yours no more", device=context.options.device)


def _dismiss_alarm(context: Context) -> int:
    with context.connect() as client:
        result = client.call("sigchain.dismiss_alarm")
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line("The alarm about your own sigchain is put away.")
    return 0


def _write(context: Context, method: str, done: str, **params: object) -> int:
    with context.connect() as client:
        result = context.confirmed_call(client, method, **params)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(f"Your sigchain says that the device {plain(params['device'])} {done}.")
    return 0


# --- arguments ---------------------------------------------------------------------------


def _arguments(parser: argparse.ArgumentParser) -> None:
    verb = Verbs(parser).add
    check = verb("verify", _verify, "check a file of JSONL or a bundle, without kezd")
    check.add_argument("file", metavar="FILE", help="what was exported (-: stdin)")
    check.add_argument(
        "--primary", metavar="PRIMARY", help="whose it must be (default: its first event says)"
    )
    shown = verb("show", _show, "the events of a sigchain, and what they amount to")
    for one in (check, shown):
        one.add_argument("--limit", type=_rows, default=SHOWN, metavar="N", help=f"events (default: {SHOWN})")
    export = verb("export", _export, "write a sigchain as others can verify it")
    copy = verb("check", _check, "read a copy of a sigchain, and compare it with what is known")
    copy.add_argument("copy", metavar="WHERE", help="web:example.com, dns:example.com, or nostr:npub1…")
    for one in (shown, export, copy):
        one.add_argument("who", nargs="?", metavar="HANDLE", help="whose (none: your own)")
    export.add_argument(
        "--format", choices=("jsonl", "bundle", "zone"), default="jsonl", help="default: jsonl"
    )
    export.add_argument("--domain", metavar="DOMAIN", help="for zone: whose record it becomes")
    export.add_argument("--out", metavar="FILE", help="a new file for it (none: print it)")
    verb("import", _import, "take in a sigchain that came another way").add_argument(
        "file", metavar="FILE", help="JSONL, a bundle, or TXT records (-: stdin)"
    )
    _writing(verb)


def _writing(verb: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
    add = verb("add", add_claim, "put an account into your sigchain: what kez claim publish does")
    revoke = verb("revoke", remove_claim, "take an account back: what kez claim remove does")
    add.set_defaults(wait=None)
    for one in (add, revoke):
        one.add_argument("subject", help="github:alice")
    publish = verb("publish", _publish, "put your sigchain where others find it, and read it back from there")
    publish.add_argument(
        "--to", choices=("server", "file", "nostr"), default="server", help="default: server"
    )
    publish.add_argument("--path", metavar="PATH", help="for file: …/.well-known/kez-sigchain.jsonl")
    publish.add_argument("--account", metavar="NPUB", help="for nostr: whose secret publishes it")
    rotate = verb("rotate", _rotate, "change your key; contacts follow the new one by themselves")
    rotate.add_argument(
        "--words", type=int, choices=(12, 24), default=24, help="new recovery words (default: 24)"
    )
    rotate.add_argument("--words-file", metavar="FILE", help="write the words to a new file and ask nothing")
    rotate.add_argument("--cancel", action="store_true", help="forget a new key that was not confirmed")
    device = verb("add-device", _add_device, "say that a device is yours")
    device.add_argument("name", help="for people, such as laptop")
    device.add_argument("--device", required=True, metavar="ID", help="1 to 32 of a-z and 0-9")
    device.add_argument("--key", required=True, metavar="PRIMARY", help="of the device")
    device.add_argument("--may", action="append", metavar="WORD", help="what it may do; may be repeated")
    gone = verb("revoke-device", _revoke_device, "say that a device is yours no more")
    gone.add_argument("device", metavar="ID", help="as kez sigchain show names it")
    verb("dismiss-alarm", _dismiss_alarm, "say that you have looked at the alarm about your own sigchain")
    for one in (add, revoke, publish, rotate, device, gone):
        add_yes(one)


def _rows(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


COMMANDS = (
    Command(
        "sigchain",
        sigchain,
        "the signed log of an identity: show, verify, export, rotate and more",
        "  kez sigchain show @alice\n  kez sigchain verify chain.jsonl    # no network needed\n"
        "  kez sigchain export --out chain.jsonl\n  kez sigchain rotate",
        _arguments,
    ),
)
