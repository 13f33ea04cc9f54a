"""The table of methods: what the socket answers, in one place.

Everything else comes from it: dispatch, parameter checks, scopes, the OpenRPC document
and the documentation. Pure: names and types, no behaviour.
"""

from dataclasses import dataclass
from enum import Enum

from kezd.api import types as t
from kezd.errors import Slug

API_VERSION = 1
API_MIN = 1


class Scope(Enum):
    """Who may call. Each includes the ones after it."""

    FULL = "full"
    CHAT = "chat"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Method:
    """One row."""

    name: str
    params: type[t.Params]
    result: type[t.Result]
    scope: Scope
    doc: str
    errors: tuple[Slug, ...] = ()
    bare: bool = False
    """Allowed before session.initialize."""

    @property
    def mutates(self) -> bool:
        """Whether it takes an idempotency key."""
        return issubclass(self.params, t.Mutation)


_CHAT_ERRORS = (Slug.NO_IDENTITY, Slug.LOCKED, Slug.NOT_A_CONTACT)

METHODS: tuple[Method, ...] = (
    Method(
        "session.initialize",
        t.InitializeParams,
        t.InitializeResult,
        Scope.READ,
        "Begin a connection: versions, profile, limits.",
        (Slug.UNSUPPORTED_API, Slug.UNKNOWN_PROFILE),
        bare=True,
    ),
    Method(
        "session.unlock",
        t.UnlockParams,
        t.StateResult,
        Scope.CHAT,
        "Open the vault of a locked profile.",
        (
            Slug.WRONG_PASSPHRASE,
            Slug.PASSPHRASE_NEEDED,
            Slug.KEYRING_LOCKED,
            Slug.KEYRING_MISSING,
            Slug.VAULT_DAMAGED,
        ),
    ),
    Method("rpc.discover", t.Empty, t.Document, Scope.READ, "The OpenRPC document of this API.", bare=True),
    Method("daemon.version", t.Empty, t.VersionResult, Scope.READ, "Versions of daemon and API.", bare=True),
    Method("daemon.health", t.Empty, t.HealthResult, Scope.READ, "State of each link, and what was dropped."),
    Method(
        "daemon.doctor",
        t.Empty,
        t.DoctorResult,
        Scope.READ,
        "Look for what is wrong, with a fix for each finding.",
    ),
    Method("daemon.shutdown", t.Empty, t.Done, Scope.CHAT, "Stop the daemon cleanly."),
    Method("identity.show", t.Empty, t.IdentityResult, Scope.READ, "The identity of this profile."),
    Method(
        "identity.create",
        t.IdentityCreateParams,
        t.IdentityCreateResult,
        Scope.CHAT,
        "Make a key; returns the recovery words to be written on paper.",
        (Slug.IDENTITY_EXISTS, Slug.PASSPHRASE_NEEDED),
    ),
    Method(
        "identity.confirm",
        t.IdentityConfirmParams,
        t.IdentityResult,
        Scope.CHAT,
        "Prove that the words were written down.",
        (Slug.WORDS_NOT_CONFIRMED, Slug.NO_IDENTITY),
    ),
    Method(
        "identity.register",
        t.IdentityRegisterParams,
        t.IdentityResult,
        Scope.CHAT,
        "Register a handle and publish the sigchain.",
        (Slug.HANDLE_TAKEN, Slug.PRIMARY_TAKEN, Slug.HOME_UNREACHABLE, Slug.IDENTITY_PENDING),
    ),
    Method(
        "identity.restore",
        t.IdentityRestoreParams,
        t.IdentityResult,
        Scope.CHAT,
        "Bring an identity back from its words; other installations become superseded.",
        (Slug.WRONG_WORDS, Slug.IDENTITY_EXISTS, Slug.HOME_UNREACHABLE, Slug.NOT_REGISTERED),
    ),
    Method(
        "identity.words",
        t.IdentityWordsParams,
        t.WordsResult,
        Scope.CHAT,
        "Show the recovery words again, after a fresh unlock.",
        (Slug.NO_IDENTITY, Slug.WRONG_PASSPHRASE, Slug.PASSPHRASE_NEEDED),
    ),
    Method(
        "contacts.add",
        t.ContactAddParams,
        t.Contact,
        Scope.CHAT,
        "Resolve a handle, verify it, trust it on first use.",
        (Slug.NOT_FOUND, Slug.HOME_UNREACHABLE, Slug.HOME_LIED, Slug.CHAIN_INVALID, Slug.KEY_CHANGED),
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
    ),
    Method(
        "contacts.accept",
        t.ContactRefMutation,
        t.Contact,
        Scope.CHAT,
        "Accept a stranger's message request.",
        (Slug.NOT_A_CONTACT,),
    ),
    Method(
        "contacts.block",
        t.ContactRefMutation,
        t.Contact,
        Scope.CHAT,
        "Drop what this contact sends from now on.",
        (Slug.NOT_A_CONTACT,),
    ),
    Method(
        "contacts.decide",
        t.ContactDecideParams,
        t.Contact,
        Scope.CHAT,
        "Answer an alarm: trust the new key, or keep the old one.",
        (Slug.NOT_A_CONTACT,),
    ),
    Method(
        "chat.send",
        t.SendParams,
        t.SendResult,
        Scope.CHAT,
        "Queue a text message.",
        (
            *_CHAT_ERRORS,
            Slug.KEY_CHANGED,
            Slug.CHAIN_FORK,
            Slug.CHAIN_ROLLBACK,
            Slug.REQUEST_PENDING,
            Slug.BLOCKED,
            Slug.TOO_LARGE,
            Slug.NO_COMMON_VERSION,
        ),
    ),
    Method(
        "chat.history",
        t.HistoryParams,
        t.MessagesResult,
        Scope.READ,
        "A page of a conversation.",
        _CHAT_ERRORS,
    ),
    Method(
        "chat.message", t.MessageRef, t.MessageResult, Scope.READ, "One message by id.", (Slug.NOT_FOUND,)
    ),
    Method(
        "chat.conversations", t.PageParams, t.ConversationsResult, Scope.READ, "Threads with unread counts."
    ),
    Method("chat.read", t.ReadParams, t.ReadResult, Scope.CHAT, "Mark messages as seen.", _CHAT_ERRORS),
    Method(
        "events.subscribe",
        t.SubscribeParams,
        t.SubscribeResult,
        Scope.READ,
        "Listen to events, from a place in the log on.",
        (Slug.CANNOT_REPLAY,),
    ),
    Method("events.unsubscribe", t.SubscriptionRef, t.Done, Scope.READ, "Stop listening.", (Slug.NOT_FOUND,)),
)
