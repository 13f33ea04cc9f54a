"""What a look at a contact changes in the database, each in one transaction with its event.

Not here: asking servers (`evidence`) and answering callers (`service`). Invariants: the
first key seen for a handle stays until the person decides; an alarm is raised in the same
transaction as it is announced.
"""

from collections.abc import Sequence
from typing import Final

from kezd.api.events import Topic
from kezd.errors import Slug, TrustError
from kezd.kez.keys import PublicKey
from kezd.kez.safety import safety_words
from kezd.services.contacts.book import alarm_error
from kezd.services.contacts.evidence import ChainNews, Record, Trouble
from kezd.services.contacts.shape import ContactEvent, event_body
from kezd.store import sigchains
from kezd.store.contacts import (
    AlarmKind,
    Standing,
    StoredContact,
    add_contact,
    clear_alarm,
    contact_by_handle,
    keep_facts,
    load_contact,
    note_check,
    refuse,
    set_alarm,
    set_handle,
    set_standing,
    set_verified,
)
from kezd.store.database import Transaction

NEW_KEY: Final = "another key has this handle now"
COMPARED: Final = "the safety words that you compared do not speak for what is shown now"


def announce(tx: Transaction, kind: ContactEvent, genesis: PublicKey, own: PublicKey | None) -> StoredContact:
    """Emit the event of a contact as it stands now."""
    contact = load_contact(tx, genesis)
    assert contact is not None, "there is such a contact"
    tx.emit(Topic.CONTACT.value, event_body(kind, contact, own))
    return contact


def raise_alarm(tx: Transaction, genesis: PublicKey, trouble: Trouble, own: PublicKey | None) -> None:
    """Stop sending until the person decides."""
    contact = load_contact(tx, genesis)
    compared = contact is not None and contact.verified_key is not None
    detail = f"{trouble.detail}; {COMPARED}" if compared else trouble.detail
    if set_alarm(tx, genesis, trouble.kind, detail, trouble.about):
        announce(tx, "alarm", genesis, own)


def _keep_news(tx: Transaction, genesis: PublicKey, news: ChainNews) -> None:
    sigchains.replace_events(tx, genesis, news.events)
    keep_facts(tx, genesis, news.facts, news.sigchain_url, news.etag)


def keep_added(
    tx: Transaction, record: Record, news: ChainNews, own: PublicKey | None, due_at: float
) -> StoredContact:
    """A contact that the person added: its first key is trusted, a request is accepted.

    The handle stays with whoever has it already; that one gets the alarm.
    """
    genesis, handle = record.genesis, str(record.handle)
    holder = contact_by_handle(tx, handle)
    if holder is not None and holder.genesis != genesis:
        raise_alarm(tx, holder.genesis, Trouble(AlarmKind.KEY_CHANGED, NEW_KEY, genesis.primary), own)
        changed = load_contact(tx, holder.genesis)
        assert changed is not None
        return changed
    known = load_contact(tx, genesis)
    if known is None:
        add_contact(tx, genesis, Standing.ACCEPTED, due_at)
    set_standing(tx, genesis, Standing.ACCEPTED)
    set_handle(tx, genesis, handle, record.registration)
    _keep_news(tx, genesis, news)
    note_check(tx, genesis, due_at, reached=True)
    return announce(tx, "added" if known is None else "changed", genesis, own)


def keep_look(
    tx: Transaction,
    genesis: PublicKey,
    record: Record | None,
    news: ChainNews | Trouble | None,
    own: PublicKey | None,
    due_at: float,
) -> None:
    """The result of looking at a contact again, or at a stranger for the first time."""
    before = load_contact(tx, genesis)
    if before is None:
        return
    if record is not None and record.genesis != genesis:
        trouble = Trouble(AlarmKind.KEY_CHANGED, NEW_KEY, record.genesis.primary)
        raise_alarm(tx, genesis, trouble, own)
    elif record is not None and before.handle is None:
        _name(tx, genesis, record, own)
    match news:
        case Trouble():
            raise_alarm(tx, genesis, news, own)
        case ChainNews() if before.alarm is None or before.alarm.kind is AlarmKind.KEY_CHANGED:
            _keep_news(tx, genesis, news)
        case _:
            pass
    note_check(tx, genesis, due_at, reached=True)
    after = load_contact(tx, genesis)
    assert after is not None
    if (after.handle, after.chain_head) != (before.handle, before.chain_head):
        announce(tx, "changed", genesis, own)


def _name(tx: Transaction, genesis: PublicKey, record: Record, own: PublicKey | None) -> None:
    """Give a stranger the handle of their key, unless a contact of another key has it."""
    holder = contact_by_handle(tx, str(record.handle))
    if holder is None:
        set_handle(tx, genesis, str(record.handle), record.registration)
    else:
        raise_alarm(tx, holder.genesis, Trouble(AlarmKind.KEY_CHANGED, NEW_KEY, genesis.primary), own)


def keep_old(tx: Transaction, genesis: PublicKey, own: PublicKey | None) -> StoredContact:
    """Go on as before; what was refused does not alarm again."""
    contact = load_contact(tx, genesis)
    assert contact is not None
    if contact.alarm is not None:
        refuse(tx, genesis, [contact.alarm.about])
        clear_alarm(tx, genesis)
    return announce(tx, "decided", genesis, own)


def trust_new_key(
    tx: Transaction, old: PublicKey, record: Record, news: ChainNews, own: PublicKey | None, due_at: float
) -> StoredContact:
    """The handle goes to the new key's contact; the old one keeps its thread, and loses the handle."""
    before = load_contact(tx, old)
    set_handle(tx, old, None, None)
    clear_alarm(tx, old)
    announce(tx, "changed", old, own)
    genesis = record.genesis
    if load_contact(tx, genesis) is None:
        add_contact(tx, genesis, Standing.ACCEPTED, due_at)
    set_standing(tx, genesis, Standing.ACCEPTED)
    set_handle(tx, genesis, str(record.handle), record.registration)
    _keep_news(tx, genesis, news)
    note_check(tx, genesis, due_at, reached=True)
    after = load_contact(tx, genesis)
    if (
        before is not None
        and before.verified_key is not None
        and after is not None
        and not after.verified_key
    ):
        # The person compared words with whoever had this handle: the new key is to be compared, too.
        set_verified(tx, genesis, before.verified_key, before.verified_at)
    return announce(tx, "decided", genesis, own)


def keep_comparison(
    tx: Transaction, genesis: PublicKey, words: Sequence[str], own: PublicKey, *, match: bool, dry_run: bool
) -> StoredContact:
    """What the person found when they compared the words shown, which have to be those of the key of now.

    Raises:
        TrustError: `key_changed` when they are not; of the alarm, while one stands.
    """
    contact = load_contact(tx, genesis)
    assert contact is not None, "contacts are never deleted"
    if contact.alarm is not None:
        raise alarm_error(contact.alarm)
    if tuple(words) != safety_words(own, contact.current):
        raise TrustError(
            Slug.KEY_CHANGED,
            "these are not the safety words of the key that this contact has now",
            hint="show them again and compare once more: kez safety HANDLE",
        )
    if dry_run:
        return contact
    set_verified(tx, genesis, contact.current if match else None, tx.now if match else None)
    return announce(tx, "changed", genesis, own)


def trust_new_chain(
    tx: Transaction, genesis: PublicKey, news: ChainNews, own: PublicKey | None, due_at: float
) -> StoredContact:
    """The chain that the server shows replaces the one that was seen."""
    _keep_news(tx, genesis, news)
    clear_alarm(tx, genesis)
    note_check(tx, genesis, due_at, reached=True)
    return announce(tx, "decided", genesis, own)
