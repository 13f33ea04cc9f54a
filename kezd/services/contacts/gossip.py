"""Heads that contacts tell of, held against what servers show: one that shows two faces is caught.

Inside chat's own transactions, look-ups only; what follows (asking the server again, alarms)
is done by the watch of `service` and by the identity. Invariants: a head counts only from an
accepted contact, about their own chain or ours; nobody's word replaces a chain that verified.
"""

from collections.abc import Callable, Sequence

from kezd.kez.heads import SeenHead
from kezd.kez.keys import PublicKey
from kezd.services.contacts import ledger
from kezd.services.contacts.book import Own, OwnKey
from kezd.services.contacts.evidence import Trouble
from kezd.services.ports import TellOwn
from kezd.store.contacts import AlarmKind, Standing, StoredContact, find_key, load_contact, make_due
from kezd.store.database import Transaction
from kezd.store.heads import event_hash, forget_told, keep_told, told_head

FINE_MAX = 1024
OwnHead = Callable[[], SeenHead | None]
ANOTHER = "the contact itself names another event {seq} of its sigchain than its server shows"
LESS = "the contact itself has {told} events in its sigchain, its server shows {shown}"


class Gossip:
    """Implements `ports.HeadGossip`."""

    def __init__(
        self, own: Own, key: OwnKey, own_head: OwnHead, tell_own: TellOwn, look: Callable[[], None]
    ) -> None:
        self._own = own
        self._key = key
        self._own_head = own_head
        self._tell_own = tell_own
        self._look = look
        self._due = False
        self._fine: dict[PublicKey, Sequence[SeenHead]] = {}
        """What contacts told last, where it asked for nothing: the same again is not looked at."""

    def own_head(self) -> SeenHead | None:
        """Of our own chain; may be called from any thread."""
        return self._own_head()

    def said_to_be(self, tx: Transaction, key: PublicKey, heads: Sequence[SeenHead]) -> PublicKey | None:
        """The contact whom a key that nobody is known by says that it is, to be looked at soon."""
        if find_key(tx, key) is not None or load_contact(tx, key) is not None:
            return None
        for one in heads:
            contact = load_contact(tx, one.genesis)
            if contact is not None and contact.state is not Standing.BLOCKED:
                self._due = True
                make_due(tx, contact.genesis)
                return contact.genesis
        return None

    def heard(self, tx: Transaction, sender: PublicKey, heads: Sequence[SeenHead]) -> list[SeenHead]:
        """Hold what a contact tells against what is known; what is to be told to the identity.

        Raises the alarm of the contact at once when another event is named at a known place.
        """
        if self._fine.get(sender) == heads:
            return []
        contact = load_contact(tx, sender)
        if contact is None or contact.state is not Standing.ACCEPTED:
            return []
        own, _ = self._own()
        theirs = [self._compare(tx, contact, one) for one in heads if one.genesis == sender]
        ours = [one for one in heads if one.genesis == own]
        unknown = [one for one in ours if event_hash(tx, one.genesis, one.head.seq) != one.head.hash]
        if all(theirs) and not unknown:
            if len(self._fine) >= FINE_MAX:
                self._fine.clear()
            self._fine[sender] = heads
        return unknown

    def told(self, teller: PublicKey, heads: Sequence[SeenHead]) -> None:
        """After the commit: hand over what `heard` found about our own chain."""
        for one in heads:
            self._tell_own(teller, one)

    def look(self) -> None:
        """After the commit: whoever is due is looked at now."""
        if self._due:
            self._due = False
            self._look()

    def _compare(self, tx: Transaction, contact: StoredContact, one: SeenHead) -> bool:
        """Whether it is what we know."""
        if one.head.seq > contact.chain_seq:
            if keep_told(tx, contact.genesis, one.head):
                self._due = True
                make_due(tx, contact.genesis)
            return False
        if event_hash(tx, contact.genesis, one.head.seq) == one.head.hash:
            return True
        _alarm(tx, contact, AlarmKind.FORK, ANOTHER.format(seq=one.head.seq), one, self._key())
        return False


def check_told(tx: Transaction, genesis: PublicKey, own: PublicKey | None) -> None:
    """After the contact's own server was asked: does it show what the contact told of?"""
    contact, told = load_contact(tx, genesis), told_head(tx, genesis)
    if contact is None or told is None:
        return
    one = SeenHead(genesis, told)
    if told.seq > contact.chain_seq:
        detail = LESS.format(told=told.seq, shown=contact.chain_seq)
        _alarm(tx, contact, AlarmKind.ROLLBACK, detail, one, own)
        return
    if event_hash(tx, genesis, told.seq) != told.hash:
        _alarm(tx, contact, AlarmKind.FORK, ANOTHER.format(seq=told.seq), one, own)
    forget_told(tx, genesis)


def _alarm(
    tx: Transaction,
    contact: StoredContact,
    kind: AlarmKind,
    detail: str,
    one: SeenHead,
    own: PublicKey | None,
) -> None:
    trouble = Trouble(kind, detail, f"told {one.head.seq}:{one.head.hash}")
    ledger.raise_alarm(tx, contact.genesis, trouble, own)
