"""What the RPC needs of the peer: handed in by the composition root, so that handlers import no store.

Results are the structs of `kezd.api.types`; errors are `KezdError`s.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Literal, Protocol

import trio

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.api.methods import Scope
from kezd.rpc.graph_ports import ClaimsCalls, GraphCalls
from kezd.rpc.sigchain_ports import SigchainCalls
from kezd.runtime.audit import AuditEntry
from kezd.runtime.bus import Event, Subscription
from kezd.runtime.passed_file import PassedFile


class ProfileState(Enum):
    """Where a profile stands."""

    EMPTY = "empty"
    """No vault yet: create or restore an identity."""
    LOCKED = "locked"
    """There is a vault that could not be opened without help."""
    OPEN = "open"


class Progress(Protocol):
    """Tells the caller of a long call how far it is: `with session.progress(token) as progress`."""

    def report(self, done: int, total: int | None, text: str = "") -> None:
        """Say how far the work is; call it as often as you like, it never waits and never raises.

        From Trio's thread only (`trio.from_thread.run_sync(progress.report, done, total)` elsewhere).

        Args:
            done: of the unit.
            total: of the unit, None while unknown.
            text: what is being done, short, for people.
        """
        ...


class Once(Protocol):
    """A caller's promise that calls with this key are one call (made by `Profile.once`)."""

    @property
    def key(self) -> str:
        """The caller's key."""
        ...


class IdentityCalls(Protocol):
    """What `identity.*` asks of an open profile."""

    async def show(self) -> t.IdentityResult:
        """The identity as it is."""
        ...

    async def confirm(self, answers: dict[int, str], *, dry_run: bool) -> t.IdentityResult:
        """Check the recalled words."""
        ...

    async def register(self, handle: str, home_url: str | None, *, dry_run: bool) -> t.IdentityResult:
        """Register the handle."""
        ...

    async def words(self, passphrase: str | None) -> t.WordsResult:
        """The words, after a fresh unlock."""
        ...

    async def begin_rotation(
        self, words: Literal[12, 24], phrase: str | None, *, dry_run: bool
    ) -> t.RotateResult:
        """A new key, and its words."""
        ...

    async def confirm_rotation(self, answers: dict[int, str], *, dry_run: bool) -> t.IdentityResult:
        """The new key takes over."""
        ...

    async def cancel_rotation(self) -> t.IdentityResult:
        """Forget a new key that was not confirmed."""
        ...


class ContactsCalls(Protocol):
    """What `contacts.*` asks of an open profile. `name` is a handle or a primary."""

    async def add(self, handle: str, *, dry_run: bool) -> t.Contact:
        """Resolve, verify and keep."""
        ...

    async def list(self, limit: int, cursor: str | None) -> t.ContactsResult:
        """A page."""
        ...

    async def show(self, name: str) -> t.Contact:
        """One of them."""
        ...

    async def refresh(self, name: str) -> t.Contact:
        """Look up again."""
        ...

    async def accept(self, name: str) -> t.Contact:
        """Accept a request."""
        ...

    async def block(self, name: str) -> t.Contact:
        """Block."""
        ...

    async def decide(
        self, name: str, decision: Literal["trust_new", "keep_old"], expected_primary: str | None
    ) -> t.Contact:
        """Answer an alarm."""
        ...

    async def verify(self, name: str, words: Sequence[str], *, match: bool, dry_run: bool) -> t.Contact:
        """Remember whether the safety words matched."""
        ...


class ChatCalls(Protocol):
    """What `chat.*` asks of an open profile."""

    async def send(
        self, to: str, text: str, once: Any, *, dry_run: bool, audit: AuditEntry | None
    ) -> t.SendResult:
        """Queue a message; its row of the audit log is in the same transaction."""
        ...

    async def history(
        self, contact: str, limit: int, cursor: str | None, after: int | None
    ) -> t.MessagesResult:
        """A page of a conversation."""
        ...

    async def message(self, message_id: str) -> t.MessageResult:
        """One message."""
        ...

    async def conversations(self, limit: int, cursor: str | None) -> t.ConversationsResult:
        """A page of threads."""
        ...

    async def read(
        self, contact: str, up_to: int | None, once: Any, *, dry_run: bool, audit: AuditEntry | None
    ) -> t.ReadResult:
        """Mark as seen; the row of the audit log comes with the last transaction."""
        ...


class BackupCalls(Protocol):
    """What `backup.*` and `export.*` ask of a profile, in every state of it."""

    async def create(
        self, params: t.BackupCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """Write a backup."""
        ...

    async def verify(
        self, params: t.BackupVerifyParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """Look through one."""
        ...

    async def restore(
        self, params: t.BackupRestoreParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupRestoreResult:
        """Bring one back into an empty profile."""
        ...

    async def export(
        self, params: t.ExportCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.ExportResult:
        """Write readable files."""
        ...


class Consumers(Protocol):
    """Named places in the log, and who is connected under which name."""

    async def resume(self, name: str, topics: Collection[str], begin: int) -> int:
        """What the consumer is done with; made at `begin` if there is none of that name.

        Raises:
            RequestError: `invalid_argument` when there are too many.
        """
        ...

    def hold(self, name: str, lose: Callable[[t.EndReason], None]) -> Callable[[], None]:
        """Be the one that listens under a name: whoever did is told why it is not any more.

        `lose` is called at most once, must not raise or wait, and not after the function that
        is returned, which lets go.
        """
        ...

    async def ack(self, name: str, seq: int) -> int:
        """Done with everything up to `seq`; its place now. `RequestError(NOT_FOUND, INVALID_ARGUMENT)`."""
        ...

    async def list(self) -> list[t.Consumer]:
        """All of them, by name."""
        ...

    async def forget(self, name: str) -> None:
        """Drop the name. `RequestError(NOT_FOUND)`."""
        ...


class Grant(Protocol):
    """What the holders of one token have."""

    @property
    def name(self) -> str:
        """Of the token."""
        ...

    @property
    def scope(self) -> Scope:
        """What its holders may do."""
        ...

    @property
    def over(self) -> bool:
        """Whether it was revoked or has expired; cheap."""
        ...

    async def wait_over(self) -> None:
        """Wait until it is over."""
        ...


class TokenCalls(Protocol):
    """What `tokens.*` and `session.initialize` ask of the daemon's tokens."""

    def grant(self, secret: str, profile: str) -> Grant:
        """What a secret gives on a profile. `AccessError(FORBIDDEN)`. Never waits."""
        ...

    def list(self, limit: int, cursor: str | None) -> t.TokensResult:
        """A page."""
        ...

    async def create(
        self, name: str, scope: Scope, expires_in_s: int | None, profiles: Sequence[str] | None
    ) -> t.TokenCreateResult:
        """Make one."""
        ...

    async def revoke(self, name: str) -> None:
        """End one. `RequestError(NOT_FOUND)`."""
        ...


class ConfirmationCalls(Protocol):
    """Calls that wait for a person's yes, over all connections."""

    async def ask(
        self,
        caller: AuditEntry,
        profile: str,
        summary: str,
        gone: trio.Event,
        announce: Callable[[t.ConfirmationEvent], None],
    ) -> str:
        """Wait for a yes; which front-end it came through. `AccessError(CONFIRMATION_REFUSED)`."""
        ...

    def list(self, profile: str) -> Sequence[t.Confirmation]:
        """What is asked on a profile now."""
        ...

    def answer(self, question_id: str, profile: str, by: str, *, allow: bool) -> None:
        """Settle one. `RequestError(NOT_FOUND)`."""
        ...


class BegunRow(Protocol):
    """A call that has its row in the audit log."""

    @property
    def entry(self) -> AuditEntry:
        """Whose call."""
        ...


class AuditCalls(Protocol):
    """The audit log of a profile, in every state of it."""

    async def begin(self, entry: AuditEntry, confirmed_by: str | None) -> BegunRow:
        """Write the row of a call that is about to begin; it must not begin when this raises."""
        ...

    async def end(self, begun: Any, outcome: str) -> None:
        """Say how it went: `ok` or the error's slug. Never raises a `KezdError`."""
        ...

    async def note(self, entry: AuditEntry, outcome: str) -> None:
        """Count a call that has ended. Never raises a `KezdError`."""
        ...

    async def list(self, limit: int, cursor: str | None) -> t.AuditResult:
        """A page, newest first."""
        ...


class EventLog(Protocol):
    """The durable log and its live end."""

    @property
    def consumers(self) -> Consumers:
        """Named places in it."""
        ...

    @property
    def epoch(self) -> str:
        """Names this log."""
        ...

    def subscribe(self, topics: Iterable[str]) -> AbstractContextManager[Subscription]:
        """A queue of what is committed from now on."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """Seqs of the first and the last event still kept; `(1, 0)` when there was none yet."""
        ...

    async def snapshot(self) -> tuple[int, int, t.Snapshot]:
        """`bounds`, and the state exactly as it is after the last event."""
        ...

    async def after(self, seq: int, topics: Collection[str], limit: int) -> tuple[int, list[Event]]:
        """The oldest seq still kept, and events of those topics that follow `seq`, in order."""
        ...


class Profile(Protocol):
    """One identity's part of the peer. The properties raise what a caller may be told.

    `identity`, `contacts`, `chat` and `events` raise `AccessError(LOCKED)` or
    `RequestError(NO_IDENTITY)` unless the profile is open.
    """

    @property
    def name(self) -> str:
        """As configured."""
        ...

    @property
    def state(self) -> ProfileState:
        """Where it stands."""
        ...

    def watch(self, listener: Callable[[t.SaidState], None]) -> AbstractContextManager[None]:
        """Have `listener` called with each new state; it must not raise or wait. Never waits."""
        ...

    @property
    def identity(self) -> IdentityCalls:
        """The identity service."""
        ...

    @property
    def sigchains(self) -> SigchainCalls:
        """Sigchains, our own and those of contacts."""
        ...

    @property
    def contacts(self) -> ContactsCalls:
        """The contacts service."""
        ...

    @property
    def claims(self) -> ClaimsCalls:
        """Our own claims."""
        ...

    @property
    def graph(self) -> GraphCalls:
        """What others claim."""
        ...

    @property
    def chat(self) -> ChatCalls:
        """The chat service; reading works without an active identity."""
        ...

    @property
    def events(self) -> EventLog:
        """The event log."""
        ...

    @property
    def backups(self) -> BackupCalls:
        """Backups and exports."""
        ...

    @property
    def audit(self) -> AuditCalls:
        """The audit log; there in every state."""
        ...

    def announce(self, topic: Topic, body: dict[str, Any], key: str) -> None:
        """Publish an ephemeral event to those who listen, if the profile is open. Never waits."""
        ...

    async def unlock(self, passphrase: str | None) -> None:
        """Open the vault."""
        ...

    async def create(self, params: t.IdentityCreateParams, once: Any) -> t.IdentityCreateResult:
        """Make an identity, and vault and database first if there are none."""
        ...

    async def restore(self, params: t.IdentityRestoreParams) -> t.IdentityResult:
        """Restore an identity, and make vault and database first if there are none."""
        ...

    def once(self, key: str, method: str, params_hash: str) -> Any:
        """The token that services take for `key`."""
        ...

    async def recall(self, once: Any) -> dict[str, Any] | None:
        """The result remembered for an earlier call, or None."""
        ...

    async def remember(self, once: Any, result: dict[str, Any]) -> None:
        """Keep a result for 24 h."""
        ...

    async def health(self) -> t.HealthResult:
        """State of each link."""
        ...

    async def doctor(self) -> t.DoctorResult:
        """All checks."""
        ...

    async def report(self) -> t.ReportResult:
        """A redacted account."""
        ...


class Peer(Protocol):
    """The whole daemon as a connection sees it."""

    @property
    def instance_id(self) -> str:
        """New at each start."""
        ...

    @property
    def version(self) -> str:
        """Of the daemon."""
        ...

    @property
    def tokens(self) -> TokenCalls:
        """Of all programs."""
        ...

    @property
    def confirmations(self) -> ConfirmationCalls:
        """What a person is asked."""
        ...

    def profile(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            RequestError: `unknown_profile`.
        """
        ...

    async def list_profiles(self) -> t.ProfilesResult:
        """All profiles."""
        ...

    async def create_profile(self, name: str, *, again: bool, dry_run: bool) -> t.ProfileItem:
        """Make an empty one that outlives a restart; `again`: it may have been made by this very call."""
        ...

    async def remove_profile(self, name: str, *, force: bool, again: bool, dry_run: bool) -> None:
        """Stop it and delete it; `again`: it may have been deleted by this very call."""
        ...

    def stop(self) -> None:
        """Begin a clean stop."""
        ...
