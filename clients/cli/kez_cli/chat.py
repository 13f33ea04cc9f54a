"""send, listen, history, read: the conversations."""

import argparse
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from kez_cli.command import Command, seconds
from kez_cli.context import Context, Json, read_stdin
from kez_cli.people import name_of
from kez_cli.terminal import date, indented, note, show
from kezd.api.causes import TABLE as CAUSES
from kezd.api.causes import cause_named
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug, UnavailableError, error_for

STATES = ("queued", "accepted", "delivered", "read")
RECONNECT_SECONDS = 0.5
TEXT_LIMIT = 1024 * 1024
"""Bytes read from stdin at most; the daemon has the last word on what is too large."""


def send(context: Context) -> int:
    """Queue a message; with --wait, until it got that far."""
    options = context.options
    text = options.text
    if text is None or text == "-":
        if context.interactive():
            note("Type the message, then Ctrl-D:")
        text = read_stdin(TEXT_LIMIT)
    params: Json = {"to": options.handle, "text": text, "dry_run": options.dry_run}
    if options.idempotency_key:
        params["idempotency_key"] = options.idempotency_key
    with context.connect() as client:
        since = _end_of_log(client) if options.wait and not options.dry_run else None
        result = client.call("chat.send", **params)
        if since is not None:
            with deadline(options.timeout):
                result["message"] = _wait(context, client, result["message"], since)
    message = result["message"]
    if context.json:
        context.print_json(result)
    elif options.dry_run:
        context.terminal.line("would be sent")
    else:
        context.terminal.line(f"{message['state']}  {context.terminal.faint(message['id'])}")
    if message["state"] == "failed":
        raise _failure(message)
    return 0


def _wait(context: Context, client: Client, message: Json, since: Json) -> Json:
    goal = STATES.index(context.options.wait)
    if _there(message, goal):
        return message
    context.terminal.progress(STATES.index(message["state"]), goal, message["state"])
    for notification in client.events(["message"], since):
        seen: Json = notification["event"].get("message", {})
        if seen.get("id") != message["id"] or seen.get("direction") != "out":
            continue
        message = seen
        if _there(message, goal):
            break
        context.terminal.progress(STATES.index(message["state"]), goal, message["state"])
    context.terminal.end_progress()
    return message


def _there(message: Json, goal: int) -> bool:
    return message["state"] == "failed" or STATES.index(message["state"]) >= goal


def _failure(message: Json) -> Exception:
    try:
        return error_for(Slug(message.get("cause")))
    except ValueError:
        row = CAUSES[cause_named(str(message.get("cause")))]
        return error_for(Slug.HOME_REFUSED, f"the message failed: {row.text}", hint=row.hint)


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Give up after some seconds.

    Raises:
        UnavailableError: `offline`, saying that the message is still on its way.
    """

    def expire(*_: Any) -> None:
        raise UnavailableError(
            Slug.OFFLINE,
            f"not there after {seconds:g} s",
            hint="the message stays queued; kez history shows its state",
        )

    if seconds is None:
        yield
        return
    import signal  # only here: it costs start-up time

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def history(context: Context) -> int:
    """Show a conversation, or list them all."""
    options = context.options
    with context.connect() as client:
        if options.handle is None:
            return _conversations(context, client)
        params: Json = {"contact": options.handle, "limit": options.limit}
        if options.cursor:
            params["cursor"] = options.cursor
        page = client.call("chat.history", **params)
    if context.json:
        context.print_json(page)
        return 0
    for message in page["items"]:
        print_message(context, message)
    if page.get("next_cursor"):
        note(f"Older: kez history {options.handle} --cursor {page['next_cursor']}")
    return 0


def _conversations(context: Context, client: Client) -> int:
    page = client.call("chat.conversations", limit=context.options.limit)
    if context.json:
        context.print_json(page)
        return 0
    threads = page["items"]
    names = [name_of({"genesis": thread["contact"], "handle": thread.get("handle")}) for thread in threads]
    width = max(map(len, names), default=0)
    for name, thread in zip(names, threads, strict=True):
        last = thread.get("last") or {}
        unread = context.terminal.strong(f"{thread['unread']} unread") if thread["unread"] else ""
        when = date(last.get("arrived_at")) if last else ""
        kind = "" if thread["state"] == "accepted" else f"({thread['state']})"
        context.terminal.line(f"{name:<{width}}  {when:<16}  {unread} {kind}".rstrip())
    if not page["items"]:
        note("No conversations yet: kez send HANDLE TEXT.")
    return 0


def print_message(context: Context, message: Json) -> None:
    """One message for a person's eyes."""
    terminal = context.terminal
    mine = message["direction"] == "out"
    who = "you" if mine else name_of({"genesis": message["contact"], "handle": message.get("handle")})
    start = f"{date(message['sent_at'])}  {who}: "
    if message.get("missing_before"):
        terminal.line(
            terminal.faint(f"({message['missing_before']} messages before this one have not arrived)")
        )
    text = message.get("text")
    shown = terminal.faint(_no_text(message)) if text is None else indented(text, len(start))
    marks = [message["state"]] if mine else []
    marks += [_why(message["cause"])] if message.get("cause") else []
    marks += ["its date is in the future"] if message.get("future_dated") else []
    marks += ["request"] if message.get("request") else []
    suffix = terminal.faint(f"  [{', '.join(show(m) for m in marks)}]") if marks else ""
    terminal.line(f"{terminal.faint(start[:18])}{terminal.strong(start[18:])}{shown}{suffix}")


def _why(cause: str) -> str:
    """A cause in words; one of a later kezd as it is."""
    known = cause_named(cause)
    return CAUSES[known].text if known.value == cause else cause


def _no_text(message: Json) -> str:
    if message.get("needs_newer_version"):
        return "(needs a newer version of kezd)"
    return f"({show(message['kind'])})"


def read(context: Context) -> int:
    """Mark messages as seen."""
    with context.connect() as client:
        params: Json = {"contact": context.options.handle}
        if context.options.up_to is not None:
            params["up_to"] = context.options.up_to
        result = client.call("chat.read", **params)
    if context.json:
        context.print_json(result)
    else:
        context.terminal.line(f"{result['marked']} marked as seen")
    return 0


def listen(context: Context) -> int:
    """Print what arrives, until interrupted; taken up again where it was when kezd comes back."""
    options = context.options
    since = _parse_since(options.since)
    client = context.connect()
    while True:
        try:
            with client:
                # A place in the log before the first event: what comes while kezd is away counts, too.
                since = since or _end_of_log(client)
                for notification in client.events(options.topics, since):
                    if notification["seq"]:
                        since = {"epoch": notification["epoch"], "seq": notification["seq"]}
                    _print_event(context, notification)
        except UnavailableError as error:
            if error.slug not in (Slug.NOT_RUNNING, Slug.STOPPING):
                raise
            note("kezd went away; waiting for it (Ctrl-C ends)")
            client = _wait_for_kezd(context)
            note("kezd is back")
        except RequestError as error:
            if error.slug is not Slug.CANNOT_REPLAY or since is None:
                raise
            note(
                "events were lost (the log is younger than that): going on from now, kez history has the messages"
            )
            since, client = None, context.connect()


def _end_of_log(client: Client) -> Json:
    place = client.call("events.subscribe", topics=["message"])
    client.call("events.unsubscribe", subscription=place["subscription"])
    return {"epoch": place["epoch"], "seq": place["seq"]}


def _wait_for_kezd(context: Context) -> Client:
    while True:
        time.sleep(RECONNECT_SECONDS)
        try:
            client = context.connect()
        except UnavailableError as error:
            if error.slug not in (Slug.NOT_RUNNING, Slug.STOPPING):
                raise
            continue
        try:
            client.wait_open()  # where somebody has to unlock it first
        except UnavailableError:
            client.close()
            continue
        return client


def _parse_since(text: str | None) -> Json | None:
    if text is None:
        return None
    epoch, _, seq = text.rpartition(":")
    if not epoch or not (seq.isascii() and seq.isdecimal()):
        raise RequestError(Slug.INVALID_ARGUMENT, "--since is EPOCH:SEQ, as in the events' own members")
    return {"epoch": epoch, "seq": int(seq)}


def _print_event(context: Context, notification: Json) -> None:
    if context.json:
        context.print_json(notification)
        return
    event = notification["event"]
    kind = event.get("type", "")
    terminal = context.terminal
    match notification["topic"]:
        case "message" if kind in {"received", "sent"}:
            print_message(context, event["message"])
        case "contact" if kind in {"request", "alarm"}:
            terminal.line(terminal.bad(f"{kind}: {name_of(event['contact'])}"))
        case "identity" if kind == "superseded":
            terminal.line(terminal.bad("another installation has taken over: kez status"))
        case _:
            return


def _send(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="@bob, bob@server, or a key")
    parser.add_argument("text", nargs="?", help="the message (none, or -: read it from stdin)")
    parser.add_argument("--wait", choices=STATES[1:], help="wait until it got that far")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="give up waiting after this long")
    parser.add_argument("--idempotency-key", metavar="KEY", help="calls with one key are one message")
    parser.add_argument("--dry-run", action="store_true", help="check everything, send nothing")


def _listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="EPOCH:SEQ", help="begin after this event (default: now)")
    parser.add_argument(
        "--topics",
        nargs="+",
        choices=("message", "contact", "identity", "link"),
        default=["message", "contact", "identity"],
        help="default: message contact identity",
    )


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", nargs="?", help="whose conversation; none: list them all")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="messages a page (default: 50)")
    parser.add_argument("--cursor", metavar="CURSOR", help="the page after this one, as the last page told")


def _read(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", help="whose messages")
    parser.add_argument("--up-to", type=int, metavar="POSITION", help="only up to this position")


COMMANDS = (
    Command(
        "send",
        send,
        "send a message",
        '  kez send @bob "hello"\n  git diff | kez send @bob\n  kez send @bob done --wait delivered --timeout 30',
        _send,
    ),
    Command(
        "listen",
        listen,
        "print what arrives, as it arrives",
        "  kez listen\n  kez listen --json | jq .event",
        _listen,
    ),
    Command(
        "history",
        history,
        "show a conversation, or list them",
        "  kez history\n  kez history @bob --limit 20",
        _history,
    ),
    Command("read", read, "mark a conversation as seen", "  kez read @bob", _read),
)
