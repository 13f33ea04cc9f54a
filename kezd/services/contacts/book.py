"""What chat asks about contacts, inside its own transactions: cheap look-ups, no verification."""

from collections.abc import Callable
from typing import Final

from kezd.api.events import Topic
from kezd.errors import RequestError, Slug, TrustError
from kezd.kez.keys import PublicKey
from kezd.kez.sealed import VERSION
from kezd.kez.sender_tag import FIRST_DEVICE
from kezd.kez.sigchain import Head
from kezd.services.contacts.shape import event_body
from kezd.services.ports import Route, Sender
from kezd.store.contacts import (
    AlarmKind,
    Standing,
    StoredAlarm,
    StoredContact,
    add_contact,
    find_key,
    give_back_key,
    load_contact,
)
from kezd.store.database import Transaction

RETIRED_GRACE: Final = 30 * 24 * 3600
"""Seconds for which messages that a retired key signed are still its contact's (they may have waited)."""

ALARM_SLUGS: Final = {
    AlarmKind.KEY_CHANGED: Slug.KEY_CHANGED,
    AlarmKind.FORK: Slug.CHAIN_FORK,
    AlarmKind.ROLLBACK: Slug.CHAIN_ROLLBACK,
    AlarmKind.CHAIN_INVALID: Slug.CHAIN_INVALID,
}


Own = Callable[[], tuple[PublicKey | None, str | None]]
"""Our own side as it is now: genesis primary (None before there is an identity), and server of our handle."""

OwnKey = Callable[[], PublicKey | None]
"""The primary that we sign with now: another one than the genesis primary after a rotation."""


def alarm_error(alarm: StoredAlarm) -> TrustError:
    """The error that stands in the way of sending."""
    return TrustError(ALARM_SLUGS[alarm.kind], alarm.detail)


def route_to(contact: StoredContact) -> Route:
    """How an accepted contact is reached."""
    match contact.state:
        case Standing.BLOCKED:
            raise RequestError(Slug.BLOCKED)
        case Standing.REQUEST:
            raise RequestError(Slug.REQUEST_PENDING)
        case Standing.ACCEPTED:
            pass
    if contact.alarm is not None:
        raise alarm_error(contact.alarm)
    if contact.nats_url is None or contact.inbox is None:
        raise RequestError(Slug.NO_COMMON_VERSION, "this contact's sigchain names no inbox yet")
    if VERSION not in contact.accepts:
        raise RequestError(Slug.NO_COMMON_VERSION)
    return Route(
        contact.genesis,
        contact.current,
        contact.nats_url,
        contact.inbox,
        FIRST_DEVICE,
        contact.accepts,
        contact.handle,
        None if contact.chain_head is None else Head(contact.chain_seq, contact.chain_head),
    )


class Book:
    """The look-ups of `ContactBook` that run inside a transaction."""

    def __init__(self, own: Own, key: OwnKey) -> None:
        self._own = own
        self._key = key

    def route(self, tx: Transaction, genesis: PublicKey) -> Route:
        """How to reach them."""
        contact = load_contact(tx, genesis)
        if contact is None:
            raise RequestError(Slug.NOT_A_CONTACT)
        return route_to(contact)

    def sender(self, tx: Transaction, key: PublicKey) -> Sender:
        """Who wrote; a stranger becomes a request, due for a look-up at once."""
        known = find_key(tx, key)
        if known is not None:
            late = known.retired_at is not None and tx.now - known.retired_at > RETIRED_GRACE
            state = Standing.BLOCKED if late else known.state
            return Sender(known.genesis, known.handle, state.value)
        own = self._key()
        if key in (own, self._own()[0]):  # nobody else holds our key, and we do not write to ourselves
            return Sender(key, None, Standing.BLOCKED.value)
        contact = load_contact(tx, key)
        if contact is not None:  # another chain had this key, and was replaced by one that never did
            give_back_key(tx, contact)
            state = contact.state if contact.current == key else Standing.BLOCKED
            return Sender(key, contact.handle, state.value)
        add_contact(tx, key, Standing.REQUEST, tx.now)
        contact = load_contact(tx, key)
        assert contact is not None, "it was just added"
        tx.emit(Topic.CONTACT.value, event_body("request", contact, own))
        return Sender(key, None, contact.state.value)

    def known(self, tx: Transaction, genesis: PublicKey) -> Sender | None:
        """The contact whose chain began with that key."""
        contact = load_contact(tx, genesis)
        return None if contact is None else Sender(genesis, contact.handle, contact.state.value)
