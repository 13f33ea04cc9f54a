"""Conversations as they are now, announced to whoever listens, so that no list is fetched for one message.

Told by the durable events: whatever changes a conversation has one. While nobody listens to
the topic, this costs a look at the listeners for each commit and nothing else. Invariants: what is
announced was read after the change was committed; a burst is one event for each conversation
and pause, however many messages it has; after the last change comes an event that shows it.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
import trio

from kezd.api.events import Topic
from kezd.api.types import Conversation
from kezd.kez.identifiers import parse_primary
from kezd.runtime.bus import Event
from kezd.services.chat.history import ChatHistory
from kezd.services.chat.loops import Bell
from kezd.store import overview
from kezd.store.database import Database, Transaction

PAUSE = 0.1
"""Seconds between two looks: a conversation has at most ten events a second."""
AT_ONCE = 100
"""Conversations read in one transaction."""


class ConversationNews:
    """See the module; `run` is its life."""

    def __init__(self, db: Database, history: ChatHistory) -> None:
        self._db = db
        self._history = history
        self._touched: dict[str, None] = {}
        """Genesis primaries, in the order of their first change."""
        self._bell = Bell()

    async def run(self) -> None:
        """Announce for as long as it is let."""
        with self._db.bus.watch(self._published):
            while True:
                await self._bell.wait()
                touched, self._touched = list(self._touched), {}
                for start in range(0, len(touched), AT_ONCE):
                    await self._announce(touched[start : start + AT_ONCE])
                await trio.sleep(PAUSE)

    def _published(self, events: Iterable[Event]) -> None:
        if not self._db.bus.is_wanted(Topic.CONVERSATION.value):
            return
        for event in events:
            contact = _contact_of(event)
            if contact is not None:
                self._touched[contact] = None
        if self._touched:
            self._bell.ring()

    async def _announce(self, contacts: Sequence[str]) -> None:
        changed, unread = await self._db.read(partial(self._look, contacts))
        self._db.bus.publish([_event(conversation, unread) for conversation in changed])

    def _look(self, contacts: Sequence[str], tx: Transaction) -> tuple[list[Conversation], int]:
        found = [self._history.conversation(parse_primary(contact), tx) for contact in contacts]
        return [one for one in found if one is not None], overview.count(tx).unread


def _contact_of(event: Event) -> str | None:
    """Whose conversation an event has changed."""
    body: dict[str, Any] = event.body
    match event.topic:
        case Topic.MESSAGE.value:
            contact: str = body["message"]["contact"] if "message" in body else body["contact"]
            return contact
        case Topic.CONTACT.value:
            genesis: str = body["contact"]["genesis"]
            return genesis
        case _:
            return None


def _event(conversation: Conversation, unread: int) -> Event:
    body = {"type": "changed", "conversation": msgspec.to_builtins(conversation), "unread": unread}
    return Event(0, Topic.CONVERSATION.value, body, conversation.contact, msgspec.json.encode(body))
