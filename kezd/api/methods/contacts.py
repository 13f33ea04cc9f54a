"""Rows of `contacts.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

METHODS = (
    Method(
        "contacts.add",
        t.ContactAddParams,
        t.Contact,
        Scope.CHAT,
        "Resolve a handle, verify it, trust it on first use.",
        (Slug.NOT_FOUND, Slug.HOME_UNREACHABLE, Slug.HOME_LIED, Slug.CHAIN_INVALID, Slug.KEY_CHANGED),
        dry_run=True,
    ),
    Method("contacts.list", t.PageParams, t.ContactsResult, Scope.READ, "All contacts and requests."),
    Method(
        "contacts.show",
        t.ContactRef,
        t.Contact,
        Scope.READ,
        "One contact, with safety words.",
        (Slug.NOT_A_CONTACT,),
    ),
    Method(
        "contacts.refresh",
        t.ContactRefMutation,
        t.Contact,
        Scope.CHAT,
        "Look the contact up again and check the chain.",
        (Slug.NOT_A_CONTACT, Slug.HOME_UNREACHABLE),
        dry_run=True,
    ),
    Method(
        "contacts.accept",
        t.ContactRefMutation,
        t.Contact,
        Scope.CHAT,
        "Accept a stranger's message request.",
        (Slug.NOT_A_CONTACT,),
        dry_run=True,
    ),
    Method(
        "contacts.block",
        t.ContactRefMutation,
        t.Contact,
        Scope.CHAT,
        "Drop what this contact sends from now on.",
        (Slug.NOT_A_CONTACT,),
        dry_run=True,
    ),
    Method(
        "contacts.decide",
        t.ContactDecideParams,
        t.Contact,
        Scope.FULL,
        "Answer an alarm: trust the new key, or keep the old one.",
        (Slug.NOT_A_CONTACT, Slug.KEY_CHANGED, Slug.HOME_UNREACHABLE),
        dry_run=True,
    ),
    Method(
        "contacts.verify",
        t.ContactVerifyParams,
        t.Contact,
        Scope.FULL,
        "Remember whether the safety words matched.",
        (Slug.NOT_A_CONTACT, Slug.KEY_CHANGED),
        dry_run=True,
    ),
)
