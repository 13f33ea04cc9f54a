"""events: the event log, for programs and scripts: from any place in it, or as a named consumer.

`kez listen` is for people. An event is acknowledged once it was printed, so one that was
printed and not acknowledged, because somebody pulled the plug between, is printed again.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.people import name_of
from kez_cli.terminal import date, note, show
from kezd.client.sync import Client
from kezd.errors import RequestError, Slug, UnavailableError

if TYPE_CHECKING:
    from kezd.client.events_sync import Events

TOPICS = ("message", "conversation", "contact", "identity", "link", "confirmation")
USUAL = ["message", "contact", "identity"]
ACK_AFTER = 64
"""Events printed in one go at most before they are acknowledged."""
OLDEST = "oldest"


def events(context: Context) -> int:
    """Print events, or look after the consumers."""
    options = context.options
    with context.connect() as client:
        if options.consumers:
            return _consumers(context, client)
        if options.forget is not None:
            return _forget(context, client)
        return _print_all(context, client)


def _print_all(context: Context, client: Client) -> int:
    options = context.options
    printed, unacknowledged = 0, False
    stream = _Stream(context, client)
    for event in stream:
        _print(context, event)
        printed, unacknowledged = printed + 1, True
        if stream.consumer and (printed % ACK_AFTER == 0 or not client.has_notices):
            stream.ack()
            unacknowledged = False
        if printed == options.limit:
            break
    if stream.consumer and unacknowledged:
        stream.ack()
    return 0


class _Stream:
    """The events that the options ask for, also over restarts of kezd when they are to be followed."""

    def __init__(self, context: Context, client: Client) -> None:
        options = context.options
        self._client = client
        self._topics: list[str] = options.topics
        self._follow = bool(options.follow)
        self.consumer: str | None = options.consumer
        self._since = _since(client, options.since, everything=not (self._follow or self.consumer))
        self._events = self._subscribe()

    def __iter__(self) -> Iterator[Json]:
        while True:
            try:
                yield from self._events
            except UnavailableError as error:
                if not self._follow or error.slug not in (Slug.NOT_RUNNING, Slug.STOPPING):
                    raise
                note("kezd went away; waiting for it (Ctrl-C ends)")
                self._since = self._events.place
                self._client.reconnect()
                note("kezd is back")
                self._events = self._subscribe()
            else:
                return

    def _subscribe(self) -> "Events":
        return self._client.events(self._topics, self._since, consumer=self.consumer, follow=self._follow)

    def ack(self) -> None:
        """Done with what was handed out."""
        self._events.ack()


def _since(client: Client, text: str | None, *, everything: bool) -> Json | None:
    """Where to begin: as the option says, else at the oldest event, or None for now or the consumer's place.

    Raises:
        RequestError: it is no place.
    """
    if text is None and not everything:
        return None
    if text in (None, OLDEST):
        place = client.call("events.subscribe", topics=["message"])
        client.call("events.unsubscribe", subscription=place["subscription"])
        return {"epoch": place["epoch"], "seq": (place.get("first_seq") or 1) - 1}
    epoch, _, seq = str(text).rpartition(":")
    if not epoch or not (seq.isascii() and seq.isdecimal()):
        raise RequestError(
            Slug.INVALID_ARGUMENT, "--since is EPOCH:SEQ, as in the events' own members, or `oldest`"
        )
    return {"epoch": epoch, "seq": int(seq)}


def _print(context: Context, notice: Json) -> None:
    if context.json:
        context.print_json(notice)
        return
    event, terminal = notice["event"], context.terminal
    seq = f"{notice['seq'] or '-':>8}"
    kind = show(event.get("type") or "")
    terminal.line(f"{terminal.faint(seq)}  {notice['topic']:<8}  {kind:<14}  {_summary(event)}".rstrip())


def _summary(event: Json) -> str:
    """One line of what it is about; foreign text made harmless."""
    if message := event.get("message"):
        who = name_of({"genesis": message["contact"], "handle": message.get("handle")})
        arrow = "from" if message["direction"] == "in" else "to"
        text = message.get("text")
        said = "" if text is None else f": {show(text)}"
        return f"{arrow} {who} ({show(message['state'])}){said}"
    if event.get("type") == "seen":
        who = name_of({"genesis": event["contact"], "handle": None})
        return f"{event['marked']} from {who}, up to position {event['up_to']}"
    if conversation := event.get("conversation"):
        who = name_of({"genesis": conversation["contact"], "handle": conversation.get("handle")})
        return f"{who}: {conversation['unread']} unread ({event['unread']} in all)"
    if contact := event.get("contact"):
        return f"{name_of(contact)} ({show(contact['state'])})"
    if identity := event.get("identity"):
        return f"{show(identity.get('handle') or '')} ({show(identity['state'])})"
    if link := event.get("link"):
        return f"{show(link['name'])}: {show(link['state'])}"
    if confirmation := event.get("confirmation"):
        return show(confirmation.get("summary") or "")
    return ""


def _consumers(context: Context, client: Client) -> int:
    found = client.call("events.consumers")
    if context.json:
        context.print_json(found)
        return 0
    for one in found["items"]:
        here = "connected" if one["connected"] else f"last seen {date(one['last_seen'])}"
        lost = context.terminal.bad("  has lost events") if one["lost"] else ""
        context.terminal.line(
            f"{one['name']:<24}  {one['lag']} behind  {here}  {' '.join(one['topics'])}{lost}"
        )
    if not found["items"]:
        note("No consumers yet: kez events --follow --consumer NAME makes one.")
    return 0


def _forget(context: Context, client: Client) -> int:
    done = client.call("events.forget", consumer=context.options.forget)
    if context.json:
        context.print_json(done)
    else:
        context.terminal.line("forgotten")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--follow",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="go on with what comes, until interrupted (default: end after what there is)",
    )
    parser.add_argument(
        "--topics", nargs="+", choices=TOPICS, default=USUAL, help=f"default: {' '.join(USUAL)}"
    )
    parser.add_argument(
        "--consumer",
        metavar="NAME",
        help="begin after what was printed under this name before; kezd keeps events for it",
    )
    parser.add_argument(
        "--since", metavar="EPOCH:SEQ", help="begin after this event; oldest: with all that is kept"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="end after so many events")
    parser.add_argument(
        "--consumers", action="store_true", help="list the consumers, and how far behind each is"
    )
    parser.add_argument("--forget", metavar="NAME", help="drop a consumer")


COMMANDS = (
    Command(
        "events",
        events,
        "print the event log, for programs",
        "  kez events --follow --json\n"
        "  kez events --follow --consumer my-bot --json | ./my-bot\n"
        "  kez events --consumers",
        _arguments,
    ),
)
