"""Every method of the table as a typed call, for `kezd.client.sync`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from kezd.client import shapes as s


class Session:
    """`session.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def initialize(self, **params: Unpack[s.InitializeParams]) -> s.InitializeResult:
        """Begin a connection: versions, profile, limits."""
        return cast("s.InitializeResult", self._call("session.initialize", **params))

    def unlock(self, **params: Unpack[s.UnlockParams]) -> s.StateResult:
        """Open the vault of a locked profile."""
        return cast("s.StateResult", self._call("session.unlock", **params))


class Rpc:
    """`rpc.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def cancel(self, **params: Unpack[s.CancelParams]) -> s.CancelResult:
        """Stop a call of this connection; it answers `cancelled`, or its result when it was done already."""
        return cast("s.CancelResult", self._call("rpc.cancel", **params))

    def discover(self) -> s.Document:
        """The OpenRPC document of this API."""
        return cast("s.Document", self._call("rpc.discover"))


class Daemon:
    """`daemon.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def version(self) -> s.VersionResult:
        """Versions of daemon and API."""
        return cast("s.VersionResult", self._call("daemon.version"))

    def health(self) -> s.HealthResult:
        """State of each link, and what was dropped."""
        return cast("s.HealthResult", self._call("daemon.health"))

    def doctor(self) -> s.DoctorResult:
        """Look for what is wrong, with a fix for each finding."""
        return cast("s.DoctorResult", self._call("daemon.doctor"))

    def report(self) -> s.ReportResult:
        """A redacted account of this peer to show to a maintainer; it is sent nowhere."""
        return cast("s.ReportResult", self._call("daemon.report"))

    def shutdown(self) -> s.Done:
        """Stop the daemon cleanly."""
        return cast("s.Done", self._call("daemon.shutdown"))


class Identity:
    """`identity.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def show(self) -> s.IdentityResult:
        """The identity of this profile."""
        return cast("s.IdentityResult", self._call("identity.show"))

    def create(self, **params: Unpack[s.IdentityCreateParams]) -> s.IdentityCreateResult:
        """Make a key; returns the recovery words to be written on paper."""
        return cast("s.IdentityCreateResult", self._call("identity.create", **params))

    def confirm(self, **params: Unpack[s.IdentityConfirmParams]) -> s.IdentityResult:
        """Prove that the words were written down."""
        return cast("s.IdentityResult", self._call("identity.confirm", **params))

    def register(self, **params: Unpack[s.IdentityRegisterParams]) -> s.IdentityResult:
        """Register a handle and publish the sigchain."""
        return cast("s.IdentityResult", self._call("identity.register", **params))

    def restore(self, **params: Unpack[s.IdentityRestoreParams]) -> s.IdentityResult:
        """Bring an identity back from its words; other installations become superseded."""
        return cast("s.IdentityResult", self._call("identity.restore", **params))

    def words(self, **params: Unpack[s.IdentityWordsParams]) -> s.WordsResult:
        """Show the recovery words again, after a fresh unlock."""
        return cast("s.WordsResult", self._call("identity.words", **params))


class Contacts:
    """`contacts.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def add(self, **params: Unpack[s.ContactAddParams]) -> s.Contact:
        """Resolve a handle, verify it, trust it on first use."""
        return cast("s.Contact", self._call("contacts.add", **params))

    def list(self, **params: Unpack[s.PageParams]) -> s.ContactsResult:
        """All contacts and requests."""
        return cast("s.ContactsResult", self._call("contacts.list", **params))

    def show(self, **params: Unpack[s.ContactRef]) -> s.Contact:
        """One contact, with safety words."""
        return cast("s.Contact", self._call("contacts.show", **params))

    def refresh(self, **params: Unpack[s.ContactRefMutation]) -> s.Contact:
        """Look the contact up again and check the chain."""
        return cast("s.Contact", self._call("contacts.refresh", **params))

    def accept(self, **params: Unpack[s.ContactRefMutation]) -> s.Contact:
        """Accept a stranger's message request."""
        return cast("s.Contact", self._call("contacts.accept", **params))

    def block(self, **params: Unpack[s.ContactRefMutation]) -> s.Contact:
        """Drop what this contact sends from now on."""
        return cast("s.Contact", self._call("contacts.block", **params))

    def decide(self, **params: Unpack[s.ContactDecideParams]) -> s.Contact:
        """Answer an alarm: trust the new key, or keep the old one."""
        return cast("s.Contact", self._call("contacts.decide", **params))

    def verify(self, **params: Unpack[s.ContactVerifyParams]) -> s.Contact:
        """Remember whether the safety words matched."""
        return cast("s.Contact", self._call("contacts.verify", **params))


class Chat:
    """`chat.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def send(self, *, descriptors: Sequence[int] = (), **params: Unpack[s.SendParams]) -> s.SendResult:
        """Queue a text message."""
        return cast("s.SendResult", self._call("chat.send", descriptors=descriptors, **params))

    def history(self, **params: Unpack[s.HistoryParams]) -> s.MessagesResult:
        """A page of a conversation."""
        return cast("s.MessagesResult", self._call("chat.history", **params))

    def message(self, **params: Unpack[s.MessageRef]) -> s.MessageResult:
        """One message by id."""
        return cast("s.MessageResult", self._call("chat.message", **params))

    def conversations(self, **params: Unpack[s.PageParams]) -> s.ConversationsResult:
        """Threads with unread counts."""
        return cast("s.ConversationsResult", self._call("chat.conversations", **params))

    def read(self, **params: Unpack[s.ReadParams]) -> s.ReadResult:
        """Mark messages as seen."""
        return cast("s.ReadResult", self._call("chat.read", **params))


class Events:
    """`events.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def subscribe(self, **params: Unpack[s.SubscribeParams]) -> s.SubscribeResult:
        """Listen to events: from now on, from a place in the log, as a named consumer, or from a snapshot."""
        return cast("s.SubscribeResult", self._call("events.subscribe", **params))

    def unsubscribe(self, **params: Unpack[s.SubscriptionRef]) -> s.Done:
        """Stop listening."""
        return cast("s.Done", self._call("events.unsubscribe", **params))

    def ack(self, **params: Unpack[s.AckParams]) -> s.AckResult:
        """A named consumer is done with the events up to a seq."""
        return cast("s.AckResult", self._call("events.ack", **params))

    def consumers(self) -> s.ConsumersResult:
        """The named consumers, and how far each is behind."""
        return cast("s.ConsumersResult", self._call("events.consumers"))

    def forget(self, **params: Unpack[s.ConsumerRef]) -> s.Done:
        """Drop a named consumer; nothing is kept for it any more."""
        return cast("s.Done", self._call("events.forget", **params))


class Backup:
    """`backup.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def create(
        self, *, descriptors: Sequence[int] = (), **params: Unpack[s.BackupCreateParams]
    ) -> s.BackupResult:
        """Write the profile, keys and all, to a file sealed with a passphrase."""
        return cast("s.BackupResult", self._call("backup.create", descriptors=descriptors, **params))

    def verify(
        self, *, descriptors: Sequence[int] = (), **params: Unpack[s.BackupVerifyParams]
    ) -> s.BackupResult:
        """Look through a backup to its last byte, and say what is in it."""
        return cast("s.BackupResult", self._call("backup.verify", descriptors=descriptors, **params))

    def restore(
        self, *, descriptors: Sequence[int] = (), **params: Unpack[s.BackupRestoreParams]
    ) -> s.BackupRestoreResult:
        """Bring a backup into an empty profile, as another installation that is not live yet."""
        return cast("s.BackupRestoreResult", self._call("backup.restore", descriptors=descriptors, **params))


class Export:
    """`export.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def create(
        self, *, descriptors: Sequence[int] = (), **params: Unpack[s.ExportCreateParams]
    ) -> s.ExportResult:
        """Write conversations, contacts, identity and sigchain to files that need no kezd. Not encrypted."""
        return cast("s.ExportResult", self._call("export.create", descriptors=descriptors, **params))


class Profiles:
    """`profiles.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def list(self) -> s.ProfilesResult:
        """The profiles of this daemon."""
        return cast("s.ProfilesResult", self._call("profiles.list"))

    def create(self, **params: Unpack[s.ProfileCreateParams]) -> s.ProfileItem:
        """Make an empty profile; it is there at once, and after a restart."""
        return cast("s.ProfileItem", self._call("profiles.create", **params))

    def remove(self, **params: Unpack[s.ProfileRemoveParams]) -> s.Done:
        """Stop a profile and delete it with everything in it."""
        return cast("s.Done", self._call("profiles.remove", **params))


class Tokens:
    """`tokens.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def create(self, **params: Unpack[s.TokenCreateParams]) -> s.TokenCreateResult:
        """Make a token for another program; a full one waits for a confirmation."""
        return cast("s.TokenCreateResult", self._call("tokens.create", **params))

    def list(self, **params: Unpack[s.PageParams]) -> s.TokensResult:
        """The tokens, without their secrets."""
        return cast("s.TokensResult", self._call("tokens.list", **params))

    def revoke(self, **params: Unpack[s.TokenRef]) -> s.Done:
        """End a token, and the connections that have it."""
        return cast("s.Done", self._call("tokens.revoke", **params))


class Confirmations:
    """`confirmations.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def list(self) -> s.ConfirmationsResult:
        """The calls that wait for a person's yes."""
        return cast("s.ConfirmationsResult", self._call("confirmations.list"))

    def answer(self, **params: Unpack[s.ConfirmationAnswerParams]) -> s.Done:
        """Say yes or no to one of them."""
        return cast("s.Done", self._call("confirmations.answer", **params))


class Audit:
    """`audit.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def list(self, **params: Unpack[s.PageParams]) -> s.AuditResult:
        """Which program called what, newest first."""
        return cast("s.AuditResult", self._call("audit.list", **params))


class Api:
    """All methods, by noun."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.session = Session(call)
        self.rpc = Rpc(call)
        self.daemon = Daemon(call)
        self.identity = Identity(call)
        self.contacts = Contacts(call)
        self.chat = Chat(call)
        self.events = Events(call)
        self.backup = Backup(call)
        self.export = Export(call)
        self.profiles = Profiles(call)
        self.tokens = Tokens(call)
        self.confirmations = Confirmations(call)
        self.audit = Audit(call)
