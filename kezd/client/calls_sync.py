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


class Claims:
    """`claims.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def create(self, **params: Unpack[s.ClaimCreateParams]) -> s.ClaimCreateResult:
        """Sign that we are a subject; while such a claim stands, that one."""
        return cast("s.ClaimCreateResult", self._call("claims.create", **params))

    def authorize(self, **params: Unpack[s.ClaimAuthorizeParams]) -> s.Done:
        """Keep the credential of an account in the vault, to publish as it."""
        return cast("s.Done", self._call("claims.authorize", **params))

    def credentials(self) -> s.CredentialsResult:
        """Accounts that kezd may publish as."""
        return cast("s.CredentialsResult", self._call("claims.credentials"))

    def forget(self, **params: Unpack[s.ClaimForgetParams]) -> s.Done:
        """Forget the credential of an account."""
        return cast("s.Done", self._call("claims.forget", **params))

    def publish(self, **params: Unpack[s.ClaimPublishParams]) -> s.ClaimPublishResult:
        """Publish a claim, wait until it is seen, add it to the sigchain; calling again goes on."""
        return cast("s.ClaimPublishResult", self._call("claims.publish", **params))

    def remove(self, **params: Unpack[s.ClaimRef]) -> s.ClaimPublishResult:
        """Unpublish a claim where we can, and revoke it in the sigchain."""
        return cast("s.ClaimPublishResult", self._call("claims.remove", **params))

    def list(self) -> s.ClaimsResult:
        """Our claims, how far each is, and whether it holds."""
        return cast("s.ClaimsResult", self._call("claims.list"))


class Graph:
    """`graph.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def verify(self, **params: Unpack[s.GraphVerifyParams]) -> s.GraphVerifyResult:
        """Check an identifier, a handle, a primary, or a text with a proof in it."""
        return cast("s.GraphVerifyResult", self._call("graph.verify", **params))

    def show(self, **params: Unpack[s.GraphShowParams]) -> s.GraphProfile:
        """Somebody with all that they claim, each checked."""
        return cast("s.GraphProfile", self._call("graph.show", **params))

    def find(self, **params: Unpack[s.GraphFindParams]) -> s.GraphFindResult:
        """Who a subject is: candidates, each checked by this peer."""
        return cast("s.GraphFindResult", self._call("graph.find", **params))

    def follow(self, **params: Unpack[s.FollowParams]) -> s.Follow:
        """Keep a signed snapshot of somebody, and be told when it holds no more."""
        return cast("s.Follow", self._call("graph.follow", **params))

    def unfollow(self, **params: Unpack[s.GraphRef]) -> s.Done:
        """Follow somebody no more."""
        return cast("s.Done", self._call("graph.unfollow", **params))

    def follows(self) -> s.FollowsResult:
        """Everybody whom we follow."""
        return cast("s.FollowsResult", self._call("graph.follows"))


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


class Sigchain:
    """`sigchain.*`."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def show(self, **params: Unpack[s.SigchainShowParams]) -> s.SigchainResult:
        """A sigchain in readable form, our own or a contact's."""
        return cast("s.SigchainResult", self._call("sigchain.show", **params))

    def export(self, **params: Unpack[s.SigchainExportParams]) -> s.SigchainExportResult:
        """A sigchain as JSONL, as a bundle, or as a line of a zone file."""
        return cast("s.SigchainExportResult", self._call("sigchain.export", **params))

    def import_(self, **params: Unpack[s.SigchainImportParams]) -> s.SigchainImportResult:
        """Take in a sigchain that came another way; one that contradicts what is known is an alarm."""
        return cast("s.SigchainImportResult", self._call("sigchain.import", **params))

    def add_device(self, **params: Unpack[s.SigchainAddDeviceParams]) -> s.SigchainHead:
        """Say in our sigchain that a device is ours."""
        return cast("s.SigchainHead", self._call("sigchain.add_device", **params))

    def revoke_device(self, **params: Unpack[s.SigchainRevokeDeviceParams]) -> s.SigchainHead:
        """Say in our sigchain that a device is ours no more."""
        return cast("s.SigchainHead", self._call("sigchain.revoke_device", **params))

    def add_endpoint(self, **params: Unpack[s.SigchainAddEndpointParams]) -> s.SigchainHead:
        """Say in our sigchain where we are reached, too."""
        return cast("s.SigchainHead", self._call("sigchain.add_endpoint", **params))

    def remove_endpoint(self, **params: Unpack[s.SigchainRemoveEndpointParams]) -> s.SigchainHead:
        """Say in our sigchain where we are not reached any more."""
        return cast("s.SigchainHead", self._call("sigchain.remove_endpoint", **params))

    def rotate(self, **params: Unpack[s.SigchainRotateParams]) -> s.RotateResult:
        """Begin to change the key: returns the new recovery words; nothing is signed yet."""
        return cast("s.RotateResult", self._call("sigchain.rotate", **params))

    def rotate_confirm(self, **params: Unpack[s.SigchainRotateConfirmParams]) -> s.IdentityResult:
        """Prove that the new words were written down; then the key is changed for good."""
        return cast("s.IdentityResult", self._call("sigchain.rotate_confirm", **params))

    def rotate_cancel(self, **params: Unpack[s.SigchainRotateCancelParams]) -> s.IdentityResult:
        """Forget a new key that was not confirmed."""
        return cast("s.IdentityResult", self._call("sigchain.rotate_cancel", **params))

    def publish(self, **params: Unpack[s.SigchainPublishParams]) -> s.SigchainCopyResult:
        """Put our sigchain on its server, into a file for a web site, or on nostr relays; read it back from there."""
        return cast("s.SigchainCopyResult", self._call("sigchain.publish", **params))

    def check(self, **params: Unpack[s.SigchainCheckParams]) -> s.SigchainCopyResult:
        """Read a copy of a sigchain from a web site, the DNS or nostr, and compare it with what is known."""
        return cast("s.SigchainCopyResult", self._call("sigchain.check", **params))

    def dismiss_alarm(self, **params: Unpack[s.SigchainDismissParams]) -> s.Done:
        """The person has looked at the alarm about their own sigchain."""
        return cast("s.Done", self._call("sigchain.dismiss_alarm", **params))


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
        self.claims = Claims(call)
        self.graph = Graph(call)
        self.events = Events(call)
        self.backup = Backup(call)
        self.export = Export(call)
        self.profiles = Profiles(call)
        self.sigchain = Sigchain(call)
        self.tokens = Tokens(call)
        self.confirmations = Confirmations(call)
        self.audit = Audit(call)
