"""What became of an attempt to send, and how that is written down.

Functions of one transaction. Invariants: states move forward only; a text's row stays
until its delivered receipt comes or it expires, a receipt's row goes when it was accepted.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from kezd.api.causes import Cause, cause_named
from kezd.errors import Slug
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import Accepted, RefusalReason, Refused
from kezd.services.chat.shape import STATE, Names
from kezd.services.ports import ContactBook
from kezd.store import drops, messages, outbox
from kezd.store.database import Transaction
from kezd.store.messages import MessageRow, State
from kezd.store.outbox import OutboxRow

log = logging.getLogger(__name__)

EXPIRE_LIMIT = 500
REFUSED_AGAIN = 3600.0
"""Seconds until an accepted message that was refused this time is sent again."""


@dataclass(frozen=True, slots=True)
class Unroutable:
    """The contact cannot be written to now; the slug says why."""

    slug: Slug


Fate = Accepted | Refused | Unroutable


def passes(fate: Fate) -> bool:
    """Whether it was not taken for a reason that may pass."""
    match fate:
        case Accepted():
            return False
        case Unroutable():
            return True
        case Refused(reason):
            return _passes(reason)
        case _:
            assert_never(fate)


def _passes(reason: RefusalReason) -> bool:
    match reason:
        case RefusalReason.INBOX_FULL | RefusalReason.HOME_FULL | RefusalReason.QUOTA:
            return True
        case RefusalReason.TOO_LARGE | RefusalReason.FOREIGN_HOME | RefusalReason.DUPLICATE_ID:
            return False
        case _:
            assert_never(reason)


def record(
    contacts: ContactBook,
    results: Sequence[tuple[OutboxRow, Fate]],
    now: float,
    settings: ChatSettings,
    tx: Transaction,
) -> None:
    """Write down what became of these, in order."""
    names = Names(tx, contacts)
    for row, fate in results:
        match fate:
            case Accepted():
                _accept(tx, names, row, now, settings)
            case Refused(reason):
                _refuse(tx, names, row, cause_named(reason.value), now, final=not passes(fate))
            case Unroutable(slug):
                _refuse(tx, names, row, cause_named(slug.value), now, final=False)
            case _:
                assert_never(fate)


def _accept(tx: Transaction, names: Names, row: OutboxRow, now: float, settings: ChatSettings) -> None:
    if row.message is None:
        outbox.remove(tx, row.id)
        return
    if not outbox.accepted(tx, row.id, now, now + settings.republish_after_s):
        return  # its receipt was faster
    changed = messages.advance(tx, row.message, State.ACCEPTED)
    if changed is not None:
        names.emit(STATE, changed)


def _refuse(tx: Transaction, names: Names, row: OutboxRow, cause: Cause, now: float, *, final: bool) -> None:
    if row.accepted:  # it was taken once; its receipt may still come
        outbox.postpone(tx, row.id, now + REFUSED_AGAIN)
        return
    if not final:
        changed = None if row.message is None else messages.wait_because(tx, row.message, cause.value)
    else:
        log.warning("a message was refused for good", extra={"cause": cause.value})
        if cause is Cause.DUPLICATE_ID:
            drops.add(tx, {cause.value: 1})
        outbox.remove(tx, row.id)
        changed = _fail(tx, row, cause)
    if changed is not None:
        names.emit(STATE, changed)


def _fail(tx: Transaction, row: OutboxRow, cause: Cause) -> MessageRow | None:
    return None if row.message is None else messages.advance(tx, row.message, State.FAILED, cause.value)


def expire(contacts: ContactBook, created_before: float, tx: Transaction) -> bool:
    """Give up on what was queued before then, at most 500; whether there may be more."""
    rows = outbox.take_expired(tx, created_before, EXPIRE_LIMIT)
    names = Names(tx, contacts)
    for row in rows:
        changed = _fail(tx, row, Cause.EXPIRED)
        if changed is not None:
            names.emit(STATE, changed)
    return len(rows) == EXPIRE_LIMIT
