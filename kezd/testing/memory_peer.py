"""A peer in memory behind the RPC's ports: for tests of the socket alone.

Real in what the socket relies on (an event log with seqs and an epoch, a bus, remembered
results, a handler that waits until it is told to go on); the rest answers constants. Not
for tests of behaviour: those run the real daemon.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import trio

from kezd.api import types as t
from kezd.api.events import Topic
from kezd.errors import AccessError, RequestError, Slug
from kezd.rpc.ports import ProfileState, Progress
from kezd.runtime.audit import AuditEntry
from kezd.runtime.bus import Event
from kezd.runtime.passed_file import PassedFile
from kezd.services.access import Confirmations, Tokens
from kezd.testing.memory_audit import MemoryAudit
from kezd.testing.memory_claims import MemoryClaims, MemoryGraph
from kezd.testing.memory_log import MemoryLog
from kezd.testing.memory_sigchains import MemorySigchains

PRIMARY = "ed25519:" + "ab" * 32
CONTACT = t.Contact(
    genesis=PRIMARY,
    primary=PRIMARY,
    handle="bob@kez.test",
    state="accepted",
    added_at=0,
    checked_at=None,
    chain_seq=2,
    safety_words=["abandon"] * 12,
)


def message(text: str, number: int = 1) -> t.Message:
    """A message that was queued."""
    return t.Message(
        id=f"{number:032x}",
        contact=PRIMARY,
        handle="bob@kez.test",
        direction="out",
        kind="text",
        text=text,
        sent_at=0,
        arrived_at=0,
        state="queued",
        position=number,
    )


CONTENTS = t.BackupContents(
    created_at=0,
    kezd="0.0.0",
    profile="default",
    schema=1,
    state="active",
    primary=PRIMARY,
    handle=None,
    messages=0,
    conversations=0,
    contacts=0,
    newest_message_at=None,
)


class MemoryBackups:
    """Writes and reads nothing."""

    async def create(
        self, params: t.BackupCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """As if."""
        return t.BackupResult(path=params.path, bytes=0, contents=CONTENTS)

    async def verify(
        self, params: t.BackupVerifyParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """As if."""
        return t.BackupResult(path=params.path, bytes=0, contents=CONTENTS)

    async def restore(
        self, params: t.BackupRestoreParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupRestoreResult:
        """As if."""
        return t.BackupRestoreResult(state="superseded", contents=CONTENTS)

    async def export(
        self, params: t.ExportCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.ExportResult:
        """As if."""
        return t.ExportResult(path=params.path, files=0, messages=0, conversations=0, contacts=0)


class MemoryProfile:
    """A profile whose every method answers something of the right shape."""

    name = "default"

    def __init__(self, log: MemoryLog) -> None:
        self._state = ProfileState.OPEN
        self.listeners: list[Callable[[t.SaidState], None]] = []
        self.log = log
        self.audit = MemoryAudit()
        self.backups = MemoryBackups()
        self.claims = MemoryClaims()
        self.graph = MemoryGraph()
        self.sigchains = MemorySigchains()
        self.contact = CONTACT
        self.decided: list[tuple[str, str | None]] = []
        self.sent: list[str] = []
        self.remembered: dict[str, tuple[Any, dict[str, Any]]] = {}
        self.gate = trio.Event()
        self.waiting = 0
        self.most_waiting = 0
        self.unlocking: trio.Event | None = None
        self.remembering: trio.Event | None = None

    def _open(self) -> "MemoryProfile":
        if self.state is ProfileState.LOCKED:
            raise AccessError(Slug.LOCKED)
        if self.state is ProfileState.EMPTY:
            raise RequestError(Slug.NO_IDENTITY)
        return self

    identity = contacts = chat = property(_open)

    @property
    def events(self) -> MemoryLog:
        """The log."""
        return self._open().log

    @property
    def state(self) -> ProfileState:
        """Where it stands; a test that sets it has it said to whoever listens."""
        return self._state

    @state.setter
    def state(self, state: ProfileState) -> None:
        if state is self._state:
            return
        self._state = state
        said: dict[ProfileState, t.SaidState] = {
            ProfileState.EMPTY: "empty",
            ProfileState.LOCKED: "locked",
            ProfileState.OPEN: "open",
        }
        for listener in tuple(self.listeners):
            listener(said[state])

    @contextmanager
    def watch(self, listener: Callable[[t.SaidState], None]) -> Iterator[None]:
        """Kept in `listeners`."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    def announce(self, topic: Topic, body: dict[str, Any], key: str) -> None:
        """To who listens."""
        self.log.bus.publish([Event(0, topic.value, body, key=key)])

    async def unlock(self, passphrase: str | None) -> None:
        """Any passphrase but `wrong` opens."""
        if passphrase == "wrong":
            raise AccessError(Slug.WRONG_PASSPHRASE)
        if self.unlocking is not None:
            await self.unlocking.wait()
        self.state = ProfileState.OPEN

    async def create(self, params: t.IdentityCreateParams, once: Any) -> t.IdentityCreateResult:
        """Constant words."""
        return t.IdentityCreateResult(primary=PRIMARY, words=["zoo"] * params.words, ask=[1, 2, 3])

    async def restore(self, params: t.IdentityRestoreParams) -> t.IdentityResult:
        """Restored."""
        return t.IdentityResult(state="active", primary=PRIMARY)

    def once(self, key: str, method: str, params_hash: str) -> Any:
        """A comparable token."""
        return (key, method, params_hash)

    async def recall(self, once: Any) -> dict[str, Any] | None:
        """As the store does it."""
        known, result = self.remembered.get(once[0], (None, None))
        if known is not None and known != once:
            raise RequestError(Slug.IDEMPOTENCY_CONFLICT)
        return result

    async def remember(self, once: Any, result: dict[str, Any]) -> None:
        """Keep, when the test lets it."""
        if self.remembering is not None:
            await self.remembering.wait()
        self.remembered[once[0]] = (once, result)

    async def health(self) -> t.HealthResult:
        """Fine."""
        return t.HealthResult(state=self.state.value, links=[], pid=1, uptime_ms=1, dropped={})

    async def doctor(self) -> t.DoctorResult:
        """Fine."""
        return t.DoctorResult(checks=[t.Check(name="socket", ok=True, found="private")])

    async def report(self) -> t.ReportResult:
        """Short."""
        return t.ReportResult(sections=[t.ReportSection(name="versions", text="kezd 0\n")])

    # --- identity

    async def show(self, name: str | None = None) -> Any:
        """The identity, or a contact when there is a name."""
        return t.IdentityResult(state="active", primary=PRIMARY) if name is None else self.contact

    async def confirm(self, answers: dict[int, str], *, dry_run: bool) -> t.IdentityResult:
        """Confirmed."""
        return t.IdentityResult(state="unregistered", primary=PRIMARY)

    async def register(self, handle: str, home_url: str | None, *, dry_run: bool) -> t.IdentityResult:
        """Registered."""
        return t.IdentityResult(state="active", primary=PRIMARY, handle=handle)

    async def begin_rotation(
        self, words: Literal[12, 24], phrase: str | None, *, dry_run: bool
    ) -> t.RotateResult:
        """Constant words."""
        return t.RotateResult(primary=PRIMARY, words=["zoo"] * words, ask=[1, 2, 3])

    async def confirm_rotation(self, answers: dict[int, str], *, dry_run: bool) -> t.IdentityResult:
        """Rotated."""
        return t.IdentityResult(state="active", primary=PRIMARY)

    async def cancel_rotation(self) -> t.IdentityResult:
        """As it was."""
        return t.IdentityResult(state="active", primary=PRIMARY)

    async def words(self, passphrase: str | None) -> t.WordsResult:
        """Words."""
        return t.WordsResult(words=["zoo"] * 24)

    # --- contacts

    async def add(self, handle: str, *, dry_run: bool) -> t.Contact:
        """Counts as sent, so that tests see whether it ran."""
        if not dry_run:
            self.sent.append(handle)
        return CONTACT

    async def list(self, limit: int, cursor: str | None) -> t.ContactsResult:
        """One contact."""
        return t.ContactsResult(items=[CONTACT][:limit])

    async def refresh(self, name: str) -> t.Contact:
        """The contact."""
        return CONTACT

    accept = block = refresh

    async def decide(
        self, name: str, decision: Literal["trust_new", "keep_old"], expected_primary: str | None
    ) -> t.Contact:
        """Remembers what was decided."""
        self.decided.append((decision, expected_primary))
        return CONTACT

    async def verify(self, name: str, words: Sequence[str], *, match: bool, dry_run: bool) -> t.Contact:
        """The contact."""
        return CONTACT

    # --- chat

    async def send(
        self, to: str, text: str, once: Any, *, dry_run: bool, audit: AuditEntry | None
    ) -> t.SendResult:
        """Special texts: `wait` waits for the gate, `bug` is one, `unknown` has no contact."""
        if text == "bug":
            raise ZeroDivisionError
        if text == "unknown":
            raise RequestError(Slug.NOT_A_CONTACT, detail={"contact": to})
        if text.startswith("wait"):
            self.waiting += 1
            self.most_waiting = max(self.waiting, self.most_waiting)
            try:
                if text == "wait and fall apart":
                    await _fall_apart()
                await self.gate.wait()
            finally:
                self.waiting -= 1
        if not dry_run:
            self.sent.append(text)
            if audit is not None:
                await self.audit.note(audit, "ok")
        return t.SendResult(message=message(text, len(self.sent)))

    async def history(
        self, contact: str, limit: int, cursor: str | None, after: int | None
    ) -> t.MessagesResult:
        """As many messages as were asked for; the contact `long` has long ones."""
        text = "x" * 10_000 if contact == "long" else "x"
        return t.MessagesResult(items=[message(text, n) for n in range(limit)])

    async def message(self, message_id: str) -> t.MessageResult:
        """A message."""
        return t.MessageResult(message=message("x"))

    async def conversations(self, limit: int, cursor: str | None) -> t.ConversationsResult:
        """None."""
        return t.ConversationsResult(items=[])

    async def read(
        self, contact: str, up_to: int | None, once: Any, *, dry_run: bool, audit: AuditEntry | None
    ) -> t.ReadResult:
        """None."""
        if audit is not None and not dry_run:
            await self.audit.note(audit, "ok")
        return t.ReadResult(marked=0)


async def _fall_apart() -> None:
    """Two tasks: one that fails when it is cancelled, and one that is cancelled."""

    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("while it was cancelled")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        nursery.start_soon(trio.sleep_forever)


class MemoryPeer:
    """A peer with the profile `default`."""

    instance_id = "i1"
    version = "0.0.0"

    def __init__(self, tokens: Tokens, confirmations: Confirmations, queue_limit: int = 1024) -> None:
        self.tokens = tokens
        self.confirmations = confirmations
        self.log = MemoryLog(queue_limit)
        self.default = MemoryProfile(self.log)
        self.stopped = trio.Event()

    def profile(self, name: str) -> MemoryProfile:
        """The one profile."""
        if name != self.default.name:
            raise RequestError(Slug.UNKNOWN_PROFILE)
        return self.default

    async def list_profiles(self) -> t.ProfilesResult:
        """The one."""
        return t.ProfilesResult(items=[t.ProfileItem(name=self.default.name, state=self.default.state.value)])

    async def create_profile(self, name: str, *, again: bool, dry_run: bool) -> t.ProfileItem:
        """As if."""
        return t.ProfileItem(name=name, state="empty")

    async def remove_profile(self, name: str, *, force: bool, again: bool, dry_run: bool) -> None:
        """As if."""

    def stop(self) -> None:
        """Remember that it was asked."""
        self.stopped.set()
