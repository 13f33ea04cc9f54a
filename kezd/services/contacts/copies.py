"""A copy of a contact's sigchain that came another way than from its server."""

from kezd.api.types import CopyVerdict
from kezd.errors import Slug, TrustError
from kezd.kez.errors import ForkError, StaleError
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Chain, compare
from kezd.services.contacts import ledger
from kezd.services.contacts.evidence import Trouble, chain_facts
from kezd.store.contacts import AlarmKind, StoredContact, keep_copy
from kezd.store.database import Database, Transaction
from kezd.store.sigchains import replace_events


async def take_copy(
    db: Database, contact: StoredContact, known: Chain, offered: Chain, own: PublicKey | None
) -> CopyVerdict:
    """Compare, and keep what is longer.

    Raises:
        TrustError: `chain_fork`; the alarm is raised.
    """
    genesis = contact.genesis
    try:
        longer = compare(known, offered, origin=False)
    except ForkError as error:
        head = offered.head
        shown = "nothing" if head is None else f"{head.seq}:{head.hash}"
        detail = f"two versions of the sigchain from event {error.seq} on"
        trouble = Trouble(AlarmKind.FORK, detail, shown)
        await db.write(lambda tx: ledger.raise_alarm(tx, genesis, trouble, own))
        raise TrustError(Slug.CHAIN_FORK, detail).after_change() from error
    except StaleError:
        return "older"
    if longer is known:
        return "same"

    def keep(tx: Transaction) -> None:
        replace_events(tx, genesis, longer.events)
        keep_copy(tx, genesis, chain_facts(longer))
        ledger.announce(tx, "changed", genesis, own)

    await db.write(keep)
    return "newer"
