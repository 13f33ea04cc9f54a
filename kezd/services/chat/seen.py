"""What the person's decisions do to messages: seen, and a request accepted.

Functions of one transaction.
"""

from kezd.api.events import Topic
from kezd.kez.keys import PublicKey
from kezd.services.chat.shape import SEEN, STATE, Names, Standing
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
    if not rows:
        return 0
    conversations.less_unread(tx, thread.id, len(rows))
    last = max(row.position for row in rows)
    if messages.count_unseen(tx, thread.id, last):
        last -= 1  # others that share the last place come with the next step
    body = {"type": SEEN, "contact": genesis.primary, "up_to": last, "marked": len(rows)}
    tx.emit(Topic.MESSAGE.value, body)
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
