"""notify: a desktop notification for each message, for as long as it runs.

A thread reads events, the main thread waits for the right moment (`notices`) and shows
them (`desktop`). Invariant: the text of a message reaches the desktop only when the
setting allows it, and by default never while the screen is locked.
"""

import argparse
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.notices import Notice, Notices
from kez_cli.terminal import note
from kezd.client.sync import Client
from kezd.errors import KezdError, RequestError, Slug, UnavailableError

if TYPE_CHECKING:
    from kez_cli.desktop import Desktop

TOPICS = ["message", "contact"]
RECONNECT_SECONDS = 1.0
GONE = (Slug.NOT_RUNNING, Slug.STOPPING, Slug.LOCKED, Slug.NO_IDENTITY)
"""Why there are no events just now; with --follow they are waited for."""

Incoming = queue.SimpleQueue[Json | KezdError]


def notify(context: Context) -> int:
    """Show what comes until interrupted."""
    if sys.platform != "linux":
        raise RequestError(Slug.INVALID_ARGUMENT, "kez notify needs a freedesktop (Linux) desktop")
    from kez_cli.desktop import Desktop  # only here: D-Bus is nothing that other commands need

    desktop = Desktop.connect()
    incoming: Incoming = queue.SimpleQueue()
    threading.Thread(target=_read, args=(context, incoming), daemon=True).start()
    _show_all(context, desktop, incoming)
    return 0


def _show_all(context: Context, desktop: "Desktop", incoming: Incoming) -> None:
    notices = Notices()
    standing: dict[str, int] = {}
    while True:
        try:
            item = incoming.get(timeout=notices.wait(time.monotonic()))
        except queue.Empty:
            item = None
        if isinstance(item, KezdError):
            raise item
        if item is not None:
            notices.event(item["topic"], item["event"], time.monotonic())
        for notice in notices.due(time.monotonic()):
            _show(context, desktop, standing, notice)


def _show(context: Context, desktop: "Desktop", standing: dict[str, int], notice: Notice) -> None:
    from kez_cli.desktop import FAILURES

    try:
        number = standing.pop(notice.contact, 0)
        if not notice.summary:
            if number:
                desktop.close(number)
            return
        match context.options.text:
            case "always":
                body = notice.text
            case "never":
                body = notice.hidden
            case _:
                body = notice.hidden if desktop.locked() else notice.text
        shown = desktop.notify(notice.summary, body, replaces=number, urgent=notice.urgent)
    except FAILURES as error:
        raise UnavailableError(
            Slug.OFFLINE,
            f"the notification service went away: {error}",
            hint="the unit starts kez notify again",
        ) from error
    standing[notice.contact] = shown
    if context.json:
        context.print_json({"id": shown, "contact": notice.contact, "summary": notice.summary})


def _read(context: Context, incoming: Incoming) -> None:
    """Put every event into the queue, or the error that ends it."""
    since: Json | None = None
    told = False
    while True:
        try:
            with context.connect() as client:
                if client.session["state"] != "open" and context.options.follow:
                    if not told:
                        note("the profile is not open; waiting (Ctrl-C ends)")
                    told = True
                    client.wait_open()
                if since is None:
                    since = _end_of_log(client)
                    note("Notifications are on (Ctrl-C ends).")
                elif told:
                    note("kezd is back")
                told = False
                for event in client.events(TOPICS, since):
                    since = {"epoch": event["epoch"], "seq": event["seq"]}
                    incoming.put(event)
        except KezdError as error:
            if error.slug is Slug.CANNOT_REPLAY:
                since = None
            elif error.slug in GONE and context.options.follow:
                if not told:
                    note(f"{error.message}; waiting (Ctrl-C ends)")
                told = True
            else:
                incoming.put(error)
                return
        time.sleep(RECONNECT_SECONDS)


def _end_of_log(client: Client) -> Json:
    place = client.call("events.subscribe", topics=TOPICS)
    client.call("events.unsubscribe", subscription=place["subscription"])
    return {"epoch": place["epoch"], "seq": place["seq"]}


def _notify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text",
        choices=("always", "unlocked", "never"),
        default="unlocked",
        help="when the text of a message is shown (default: unlocked, so not while the screen is locked)",
    )
    parser.add_argument(
        "--follow", action="store_true", help="wait for kezd when it is not running, and go on after"
    )


COMMANDS = (
    Command(
        "notify",
        notify,
        "show a desktop notification for each message",
        "  kez notify\n  kez notify --text never\n"
        "  kez notify --follow    # what the unit does: systemctl --user enable --now kezd-notify",
        _notify,
    ),
)
