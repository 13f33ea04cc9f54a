"""`contacts.*`. A dry run checks that the contact is there and answers it unchanged."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def add(session: Session, params: t.ContactAddParams) -> t.Contact:
    """Resolve a handle, verify, trust on first use."""
    return await session.profile.contacts.add(params.handle, dry_run=params.dry_run)


async def list_contacts(session: Session, params: t.PageParams) -> t.ContactsResult:
    """A page of contacts and requests."""
    return await session.profile.contacts.list(session.page(params.limit), params.cursor)


async def show(session: Session, params: t.ContactRef) -> t.Contact:
    """One contact."""
    return await session.profile.contacts.show(params.contact)


async def refresh(session: Session, params: t.ContactRefMutation) -> t.Contact:
    """Look the contact up again."""
    contacts = session.profile.contacts
    return await (contacts.show(params.contact) if params.dry_run else contacts.refresh(params.contact))


async def accept(session: Session, params: t.ContactRefMutation) -> t.Contact:
    """Accept a message request."""
    contacts = session.profile.contacts
    return await (contacts.show(params.contact) if params.dry_run else contacts.accept(params.contact))


async def block(session: Session, params: t.ContactRefMutation) -> t.Contact:
    """Block."""
    contacts = session.profile.contacts
    return await (contacts.show(params.contact) if params.dry_run else contacts.block(params.contact))


async def decide(session: Session, params: t.ContactDecideParams) -> t.Contact:
    """Answer an alarm."""
    contacts = session.profile.contacts
    if params.dry_run:
        return await contacts.show(params.contact)
    return await contacts.decide(params.contact, params.decision, params.expected_primary)


async def verify(session: Session, params: t.ContactVerifyParams) -> t.Contact:
    """Remember whether the safety words matched."""
    contacts = session.profile.contacts
    return await contacts.verify(
        params.contact, params.safety_words, match=params.match, dry_run=params.dry_run
    )


HANDLERS: dict[str, Handler] = {
    "contacts.add": add,
    "contacts.list": list_contacts,
    "contacts.show": show,
    "contacts.refresh": refresh,
    "contacts.accept": accept,
    "contacts.block": block,
    "contacts.decide": decide,
    "contacts.verify": verify,
}
