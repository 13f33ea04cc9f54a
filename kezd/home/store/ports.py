"""What home asks of its stores: four small async ports, each with a contract suite.

They are shaped so that JetStream can stand behind them: a create-only write over two keys, and a
compare-and-set append that answers with the head. No transaction spans two calls, and nothing
is ever updated in place except the session row, which is compare-and-set too.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One registered handle.

    `primary` is the 32-byte ed25519 key, `envelope` the JCS bytes of the signed registration,
    `registered_at` unix seconds of home's clock. `proofs` is the JSON array of the subjects to be found by.
    """

    handle: str
    primary: bytes
    envelope: bytes
    registered_at: int
    proofs: bytes = b"[]"


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What somebody wants to be found by: the JCS envelope, its signed date (unix seconds), its subjects."""

    envelope: bytes
    created_at: int
    subjects: tuple[str, ...]


class ProfileStore(Protocol):
    """The newest profile of each handle, and handles by subject."""

    async def put(self, handle: str, profile: StoredProfile) -> bool:
        """Keep it if it is newer than what is there (or the same again); whether it is what counts now."""
        ...

    async def get(self, handle: str) -> StoredProfile | None:
        """The profile of a handle."""
        ...

    async def by_subject(self, subject: str, limit: int) -> list[str]:
        """Handles that say they are that subject, in the order of their names."""
        ...


class Registered(Enum):
    """How a registration came out."""

    CREATED = auto()
    HANDLE_TAKEN = auto()
    PRIMARY_TAKEN = auto()


class RegistryStore(Protocol):
    """Handles and primaries, each at most once, for ever."""

    async def register(self, record: Record) -> Registered:
        """Create the record, or tell which of its two keys is taken (the handle first)."""
        ...

    async def by_handle(self, handle: str) -> Record | None:
        """The record of a bare handle."""
        ...

    async def by_primary(self, primary: bytes) -> Record | None:
        """The record of a 32-byte primary."""
        ...

    async def count(self) -> int:
        """How many there are."""
        ...


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The newest event of a chain: its seq (from 1) and its hash (64 lower-case hex)."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that was verified: what is stored of it.

    `line` is the JCS envelope without a newline; `current` the 32-byte primary that speaks for
    the chain after this event.
    """

    seq: int
    hash: str
    line: bytes
    current: bytes


class SigchainStore(Protocol):
    """Append-only chains, addressed by their 32-byte genesis primary."""

    async def append(self, genesis: bytes, event: NewEvent) -> StoredHead | None:
        """Append if the head is at `event.seq - 1`; None when done, else the head that is there."""
        ...

    async def head(self, genesis: bytes) -> StoredHead | None:
        """The newest event, None for an unknown chain."""
        ...

    async def event_hash(self, genesis: bytes, seq: int) -> str | None:
        """The hash of one event."""
        ...

    async def read(self, genesis: bytes) -> tuple[StoredHead, bytes] | None:
        """Head and the whole chain as JSONL (each line ends with a newline), of one moment."""
        ...

    async def read_part(self, genesis: bytes, after: int, up_to: int, max_bytes: int) -> tuple[bytes, int]:
        """Lines after one seq and up to another, and the last one's seq.

        At least one line (there must be one), more as long as they have at most `max_bytes` together.
        """
        ...

    async def current_of(self, genesis: bytes) -> bytes | None:
        """The primary that now speaks for this chain; None for an unknown chain."""
        ...

    async def genesis_of(self, current: bytes) -> bytes | None:
        """The chain that was rotated to this primary; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Which installation of an identity is the live one, and its fencing generation (from 1)."""

    generation: int
    installation_id: str


class SessionStore(Protocol):
    """One row for each identity that ever had a session."""

    async def current(self, identity: bytes) -> StoredSession | None:
        """The live installation, None before the first session."""
        ...

    async def advance(self, identity: bytes, session: StoredSession) -> bool:
        """Make this the session if the stored generation is one less (none counts as 0)."""
        ...


class TagKeyStore(Protocol):
    """The secret day keys of the sender tags, shared by all homes of one server name."""

    async def keep(self, day: int, key: bytes) -> bytes:
        """Store the 32-byte key of a UTC day unless there is one; answer with the one that counts."""
        ...

    async def days(self) -> dict[int, bytes]:
        """All keys there are."""
        ...

    async def forget_before(self, day: int) -> None:
        """Delete the keys of the days before `day`."""
        ...
