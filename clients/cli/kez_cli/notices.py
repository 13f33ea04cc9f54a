"""What is worth a notification: events in, notices out. Pure; the time is an argument.

A message waits a moment, so that one that is read at once in another window is never
announced and a flood becomes one notice. Not here: the desktop (`desktop`). Invariants:
nothing of one's own, nothing restored, nothing already seen, nobody blocked; one standing
notice for each contact, which goes when its messages are seen.
"""

from typing import Any, NamedTuple

from kez_cli.people import name_of

Json = dict[str, Any]

HOLD = 1.0
"""Seconds between the first message and its notice, and between two notices about one contact."""


class Notice(NamedTuple):
    """Something to show, or to take away (`summary` is empty)."""

    contact: str
    """Genesis primary; a new notice about them replaces the one before."""
    summary: str
    hidden: str
    """What may be shown when the screen is locked; also under `--text never`."""
    text: str
    urgent: bool = False


class _Thread:
    """Messages of one contact that nobody has seen."""

    def __init__(self) -> None:
        self.unseen: dict[str, Json] = {}
        self.due: float | None = None
        self.shown_at = float("-inf")
        self.stands = False


class Notices:
    """Everything that waits to be shown, and what stands on the screen."""

    def __init__(self) -> None:
        self._threads: dict[str, _Thread] = {}
        self._now: list[Notice] = []

    def event(self, topic: str, event: Json, now: float) -> None:
        """Take an event in."""
        if topic == "message":
            self._message(event, now)
        elif topic == "contact":
            self._contact(event)

    def due(self, now: float) -> list[Notice]:
        """What is to be shown now; each only once."""
        notices, self._now = self._now, []
        for contact, thread in self._threads.items():
            if thread.due is not None and thread.due <= now:
                thread.due, thread.shown_at, thread.stands = None, now, True
                notices.append(_notice(contact, list(thread.unseen.values())))
        return notices

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None when only an event can make it so."""
        if self._now:
            return 0.0
        dues = [thread.due for thread in self._threads.values() if thread.due is not None]
        return max(0.0, min(dues) - now) if dues else None

    def _message(self, event: Json, now: float) -> None:
        kind = event["type"]
        if kind == "seen":
            self._seen(event["contact"], event["up_to"])
            return
        message: Json | None = event.get("message")
        if message is None or message["direction"] != "in" or message.get("older"):
            return
        contact = message["contact"]
        if message["state"] == "seen":
            return  # before it came here
        if kind == "request" or (kind == "received" and event.get("notify")):
            thread = self._threads.setdefault(contact, _Thread())
            thread.unseen[message["id"]] = message
            if thread.due is None:
                thread.due = max(now, thread.shown_at) + HOLD

    def _seen(self, contact: str, up_to: int) -> None:
        thread = self._threads.get(contact)
        if thread is None:
            return
        thread.unseen = {i: message for i, message in thread.unseen.items() if message["position"] > up_to}
        if not thread.unseen:
            self._forget(contact)

    def _contact(self, event: Json) -> None:
        contact: Json = event["contact"]
        if contact["state"] == "blocked":
            self._forget(contact["genesis"])
        elif event["type"] == "alarm":
            text = f"kez contacts {name_of(contact)}"
            self._now.append(
                Notice(
                    f"alarm {contact['genesis']}",
                    f"The key of {name_of(contact)} is in doubt",
                    text,
                    text,
                    True,
                )
            )

    def _forget(self, contact: str) -> None:
        thread = self._threads.pop(contact, None)
        if thread is not None and thread.stands:
            self._now.append(Notice(contact, "", "", ""))


def _notice(contact: str, messages: list[Json]) -> Notice:
    last = messages[-1]
    name = name_of({"genesis": contact, "handle": last.get("handle")})
    count = len(messages)
    many = f"{count} messages" if count > 1 else "a message"
    if last.get("request"):
        return Notice(
            contact, f"{name} wants to write to you", "kez contacts --accept", "kez contacts --accept"
        )
    text = last.get("text") or "(no text)"
    return Notice(contact, name if count == 1 else f"{name}: {many}", many, text)
