"""Contacts as clients see them. Pure."""

from typing import Any, Literal

import msgspec

from kezd.api.types import Alarm, Contact
from kezd.kez.keys import PublicKey
from kezd.kez.safety import safety_words
from kezd.store.contacts import AlarmKind, StoredAlarm, StoredContact

ContactEvent = Literal["added", "changed", "request", "alarm", "decided"]


def show_contact(contact: StoredContact, own: PublicKey | None) -> Contact:
    """The contact; safety words only while we have a key ourselves."""
    return Contact(
        genesis=contact.genesis.primary,
        primary=contact.current.primary,
        handle=contact.handle,
        state=contact.state.value,
        added_at=int(contact.added_at * 1000),
        checked_at=None if contact.checked_at is None else int(contact.checked_at * 1000),
        chain_seq=contact.chain_seq,
        safety_words=[] if own is None else list(safety_words(own, contact.current)),
        alarm=None if contact.alarm is None else _alarm(contact.alarm),
    )


def _alarm(alarm: StoredAlarm) -> Alarm:
    return Alarm(
        kind=alarm.kind.value,
        since=int(alarm.since * 1000),
        detail=alarm.detail,
        new_primary=alarm.about if alarm.kind is AlarmKind.KEY_CHANGED else None,
    )


def event_body(kind: ContactEvent, contact: StoredContact, own: PublicKey | None) -> dict[str, Any]:
    """The event on topic `contact`."""
    return {"type": kind, "contact": msgspec.to_builtins(show_contact(contact, own))}
