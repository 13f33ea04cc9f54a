"""claim: the accounts that you say are yours: create, publish, remove, list, dns, authorize.

`create` with a key file signs here, without kezd and without the network; everything else is kezd's work, and
what uses its key asks first.
"""

import argparse

from kez_cli.command import Command, Verbs, add_yes, duration
from kez_cli.context import Context, Json, read_secret_file, read_stdin, write_new_secret_file
from kez_cli.own_keys import read_secret
from kez_cli.states import Row, row_of, table
from kez_cli.terminal import date, note, now, plain, show
from kezd.client.offline import ENCODINGS, make_claim
from kezd.errors import RequestError, Slug

SYSTEMS = ("github", "bluesky", "ap", "nostr")
"""Where kezd can publish by itself; `dns` and `web` are pasted."""
STEPS = {
    "signed": "signed, not published",
    "publishing": "being published",
    "published": "published, not seen yet",
    "verified": "seen, not in the sigchain yet",
    "added": "",
    "revoked": "taken back",
}
"""What is said of a claim that is not done."""


def claim(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


# --- making ------------------------------------------------------------------------------


def _create(context: Context) -> int:
    options = context.options
    made = _sign_here(context) if options.key else _have_it_signed(context, options.subject)
    if options.format not in made["encodings"]:
        raise _no_domain(made["subject"])
    _hand_out(context, made, options.format, options.out)
    return 0


def _dns(context: Context) -> int:
    options = context.options
    subject = f"dns:{options.domain.removeprefix('dns:')}"
    options.subject = subject
    made = _sign_here(context) if options.key else _have_it_signed(context, subject)
    _hand_out(context, made, "dns", options.out)
    if not options.out and not context.json:
        note(f"Put this line into the zone, wait until it is out, then: kez claim publish {plain(subject)}")
    return 0


def _sign_here(context: Context) -> Json:
    options = context.options
    secret = read_secret(context, options.key)
    made = make_claim(secret, options.subject, now() // 1000, options.expires)
    return made._asdict()


def _have_it_signed(context: Context, subject: str) -> Json:
    params: Json = {"subject": subject}
    if context.options.expires is not None:
        params["expires_in_s"] = context.options.expires
    with context.connect() as client:
        made = context.confirmed_call(client, "claims.create", **params)
    claim, encodings = made["claim"], dict(made["encodings"])
    if claim["subject"].partition(":")[0] not in ("dns", "web"):
        encodings.pop("dns", None)
    return {
        "primary": claim["primary"],
        "subject": claim["subject"],
        "expires_at": claim.get("expires_at"),
        "encodings": encodings,
    }


def _no_domain(subject: str) -> RequestError:
    return RequestError(
        Slug.INVALID_ARGUMENT,
        f"a line for a zone file names a domain, and {plain(subject)} has none",
        hint="kez claim dns example.com, or another --format",
    )


def _hand_out(context: Context, made: Json, encoding: str, out: str | None) -> None:
    text: str = made["encodings"][encoding]
    if out:
        write_new_secret_file(out, text.rstrip("\n") + "\n")
    if context.json:
        context.print_json(made | {"file": out} if out else made)
    elif out:
        context.terminal.line(f"{plain(made['subject'])} is claimed by {made['primary']} in {out}.")
    else:
        context.terminal.line(text.rstrip("\n"))


# --- publishing --------------------------------------------------------------------------


def add_claim(context: Context) -> int:
    """Publish a claim, wait until it is seen, and have it in the sigchain."""
    options = context.options
    params: Json = {"subject": options.subject}
    if options.wait is not None:
        params["wait_s"] = options.wait
    with context.connect() as client:
        try:
            result = context.long_call(client, "claims.publish", **params)
        except RequestError as error:
            if error.slug is not Slug.NOT_FOUND:
                raise
            # Nothing is signed yet: who wants it published wants it signed, and is asked for both.
            context.confirmed_call(client, "claims.create", subject=options.subject)
            result = context.long_call(client, "claims.publish", **params)
    return _told(context, result, "is published, seen, and in your sigchain.")


def remove_claim(context: Context) -> int:
    """Take a claim back."""
    with context.connect() as client:
        result = context.long_call(client, "claims.remove", subject=context.options.subject)
    return _told(context, result, "is taken back: your sigchain says so to everybody who checks.")


def _told(context: Context, result: Json, done: str) -> int:
    """What came of it; 0 when nothing is left to do, 7 otherwise."""
    code = 0 if result["done"] else 7
    if context.json:
        context.print_json(result)
        return code
    terminal, subject = context.terminal, plain(result["claim"]["subject"])
    if result["done"]:
        terminal.line(f"{terminal.strong(subject)} {done}")
    if result.get("paste"):
        note(f"Publish this at {plain(result.get('paste_where') or '')}, then give the same command again:")
        terminal.line(show(result["paste"], lines=True).rstrip("\n"))
    elif not result["done"]:
        terminal.line(f"{terminal.strong(subject)} {terminal.doubtful('is not done')}")
    for text in result.get("left", []):
        note(f"  {plain(text)}")
    if code and not result.get("paste"):
        note("Nothing is lost: the same command goes on from here.")
    return code


def _list(context: Context) -> int:
    with context.connect() as client:
        items = client.call("claims.list")["items"]
    if context.json:
        context.print_json({"items": items})
        return 0
    if not items:
        note("You claim nothing yet: kez claim publish github:NAME, or kez claim dns DOMAIN.")
        return 0
    rows = [_row(item) for item in items]
    table(context.terminal, rows, now())
    for item in items:
        if item.get("expires_at"):
            note(f"{plain(item['subject'])} holds until {date(item['expires_at'])}.")
    return 0


def _row(item: Json) -> Row:
    """The claim with what it waits for, where it is not done."""
    check, step = item.get("check"), STEPS.get(item["step"], item["step"])
    row = row_of(check) if check else Row(item["subject"], None)
    return row._replace(reason=step) if step else row


# --- credentials -------------------------------------------------------------------------


def _authorize(context: Context) -> int:
    options = context.options
    system, account = _account(options.account)
    secret = _credential(context, system)
    with context.connect() as client:
        result = client.call("claims.authorize", system=system, account=account, secret=secret)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(
            f"kezd publishes as {plain(options.account)} from now on; the secret is in the vault."
        )
    return 0


def _forget(context: Context) -> int:
    system, account = _account(context.options.account)
    with context.connect() as client:
        result = client.call("claims.forget", system=system, account=account)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(f"The secret of {plain(context.options.account)} is forgotten.")
    return 0


def _credentials(context: Context) -> int:
    with context.connect() as client:
        result = client.call("claims.credentials")
    if context.json:
        context.print_json(result)
        return 0
    for account in result["accounts"]:
        context.terminal.line(plain(account))
    if not result["accounts"]:
        note("kezd may publish as no account yet: kez claim authorize github:NAME")
    return 0


def _account(text: str) -> tuple[str, str]:
    system, colon, account = text.partition(":")
    system = {"mastodon": "ap"}.get(system, system)
    if system not in SYSTEMS or not colon or not account:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"kezd publishes by itself as accounts of {', '.join(SYSTEMS)}, written github:alice",
            hint="dns and web are pasted: kez claim dns example.com",
        )
    return system, account


def _credential(context: Context, system: str) -> str:
    if context.options.secret_file:
        secret = read_secret_file(context.options.secret_file)
    elif context.interactive():
        import getpass  # only here: most commands never need it

        what = {
            "github": "Token with the right `gist`",
            "bluesky": "App password",
            "ap": "Token with the right to write",
            "nostr": "nsec",
        }
        secret = getpass.getpass(f"{what[system]} (not shown): ")
    else:
        secret = read_stdin()
    if not secret.strip():
        raise RequestError(
            Slug.INVALID_ARGUMENT, "no secret was given", hint="--secret-file FILE, or - for stdin"
        )
    return secret.strip()


# --- arguments ---------------------------------------------------------------------------


def _arguments(parser: argparse.ArgumentParser) -> None:
    verb = Verbs(parser).add
    create = verb("create", _create, "sign that an account is yours, and print the proof")
    create.add_argument("subject", help="github:alice, bluesky:alice.example, web:example.com, …")
    create.add_argument(
        "--format", choices=ENCODINGS, default="json", help="how it is written (default: json)"
    )
    dns = verb("dns", _dns, "the line that proves a domain, for its zone file")
    dns.add_argument("domain", help="example.com")
    for one in (create, dns):
        one.add_argument("--out", metavar="FILE", help="write it to a new file")
        one.add_argument(
            "--key", "--words-file", metavar="FILE", help="sign here with this key, without kezd (-: stdin)"
        )
        one.add_argument(
            "--expires", type=duration, metavar="TIME", help="it holds this long: 90d, 1y (default: for ever)"
        )
        add_yes(one)
    publish = verb("publish", add_claim, "publish it, wait until it is seen, put it into your sigchain")
    publish.add_argument("subject", help="github:alice")
    publish.add_argument(
        "--wait", type=_seconds, metavar="SECONDS", help="how long to wait until it is seen (default: 120)"
    )
    remove = verb("remove", remove_claim, "take it back, and unpublish it where kezd may")
    remove.add_argument("subject", help="github:alice")
    add_yes(publish)
    add_yes(remove)
    verb("list", _list, "show what you claim, and whether it holds")
    authorize = verb("authorize", _authorize, "let kezd publish as an account of yours")
    authorize.add_argument("account", help="github:alice, bluesky:…, ap:user@host, nostr:npub1…")
    authorize.add_argument(
        "--secret-file", metavar="FILE", help="its token or password (-: stdin; none: ask)"
    )
    verb("credentials", _credentials, "show as which accounts kezd may publish")
    verb("forget", _forget, "forget the secret of an account").add_argument("account", help="github:alice")


def _seconds(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


COMMANDS = (
    Command(
        "claim",
        claim,
        "say which accounts and domains are yours: create, publish, remove, list and more",
        "  kez claim publish github:alice\n  kez claim dns example.com\n"
        "  kez claim create github:alice --format markdown --key words.txt --out kez.md\n  kez claim list",
        _arguments,
    ),
)
