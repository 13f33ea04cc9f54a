"""What the person's decisions do to messages: seen, and a request accepted.

Functions of one transaction.
"""

from kezd.kez.keys import PublicKey
from kezd.services.chat.shape import STATE, Names, Standing
from kezd.services.ports import ContactBook
from kezd.store import conversations, messages, receipts
from kezd.store.database import Transaction

SEEN_LIMIT = 500
"""Messages marked in one transaction."""


def mark_seen(
    tx: Transaction, contacts: ContactBook, genesis: PublicKey, up_to: int | None, *, receipts_wanted: bool
) -> int:
    """Mark at most 500 received messages as seen; how many were."""
    thread = conversations.find(tx, genesis.raw)
    if thread is None:
        return 0
    rows = messages.mark_seen(tx, thread.id, up_to, SEEN_LIMIT)
    conversations.less_unread(tx, thread.id, len(rows))
    names = Names(tx, contacts)
    for row in sorted(rows):
        names.emit(STATE, row)
    if receipts_wanted and _is_accepted(tx, contacts, genesis):
        receipts.owe(tx, thread.id, [row.row for row in rows], read=True)
    return len(rows)


def admit(contacts: ContactBook, genesis: PublicKey, now: float, tx: Transaction) -> int | None:
    """If that contact is accepted, its messages are no requests any more and are receipted; its thread."""
    thread = conversations.find(tx, genesis.raw)
    if thread is None:
        return None
    if _is_accepted(tx, contacts, genesis):
        owed, shown = messages.admit(tx, thread.id, now)
        receipts.owe(tx, thread.id, owed, read=False)
        names = Names(tx, contacts)
        for row in sorted(shown):
            names.emit(STATE, row)
    return thread.id


def _is_accepted(tx: Transaction, contacts: ContactBook, genesis: PublicKey) -> bool:
    contact = contacts.known(tx, genesis)
    return contact is not None and Standing(contact.state) is Standing.ACCEPTED
