"""Contacts as clients see them. Pure."""

from typing import Any, Literal

import msgspec

from kezd.api.types import Alarm, Contact
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey
from kezd.kez.safety import safety_words
from kezd.store.contacts import AlarmKind, StoredAlarm, StoredContact

ContactEvent = Literal["added", "changed", "request", "alarm", "decided"]


def show_contact(contact: StoredContact, own: PublicKey | None) -> Contact:
    """The contact; safety words only while we have a key ourselves.

    It is verified as long as the key compared is the current one and nothing raises doubts about it.
    """
    verified = contact.verified_key == contact.current and contact.alarm is None
    return Contact(
        genesis=contact.genesis.primary,
        primary=contact.current.primary,
        handle=contact.handle,
        state=contact.state.value,
        added_at=int(contact.added_at * 1000),
        checked_at=None if contact.checked_at is None else int(contact.checked_at * 1000),
        chain_seq=contact.chain_seq,
        safety_words=[] if own is None else list(safety_words(own, contact.current)),
        alarm=None if contact.alarm is None else _alarm(contact.alarm, own),
        verified_at=int(contact.verified_at * 1000) if verified and contact.verified_at else None,
        reverify=contact.verified_key is not None and not verified,
    )


def _alarm(alarm: StoredAlarm, own: PublicKey | None) -> Alarm:
    new = parse_primary(alarm.about) if alarm.kind is AlarmKind.KEY_CHANGED else None
    return Alarm(
        kind=alarm.kind.value,
        since=int(alarm.since * 1000),
        detail=alarm.detail,
        new_primary=None if new is None else new.primary,
        new_safety_words=[] if new is None or own is None else list(safety_words(own, new)),
    )


def event_body(kind: ContactEvent, contact: StoredContact, own: PublicKey | None) -> dict[str, Any]:
    """The event on topic `contact`."""
    return {"type": kind, "contact": msgspec.to_builtins(show_contact(contact, own))}
