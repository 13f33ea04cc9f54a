"""A sigchain: a verified, append-only run of events of one identity.

Not here: fetching, storing, and deciding what to do about an alarm. Invariants: a `Chain` never changes;
whatever is in it is signed by the key that was current at its place, without holes; its address is the genesis
key for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from kezd.kez.errors import (
    ConflictError,
    ForkError,
    RollbackError,
    SigchainError,
    StaleError,
    shown,
)
from kezd.kez.identifiers import Identifier
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain.event import Event, Head, build_payload
from kezd.kez.sigchain.fold import Fold
from kezd.kez.sigchain.ops import (
    Add,
    Device,
    IrohEndpoint,
    Members,
    NatsEndpoint,
    Rotate,
    SharedFiles,
    read_action,
)
from kezd.kez.signing import ROTATE_PREFIX

MAX_CHAIN: Final = 16 * 1024 * 1024  # bytes of a whole chain as JSONL


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified chain.

    Attributes:
        genesis: the first key, which is the chain's address.
        events: the events in order.
        size: bytes of the chain as JSONL.
    """

    genesis: PublicKey
    events: tuple[Event, ...]
    size: int
    _fold: Fold = field(repr=False, compare=False)

    @classmethod
    def empty(cls, genesis: PublicKey) -> Self:
        """Return the chain of a key that has signed nothing yet."""
        return cls(genesis, (), 0, Fold(genesis))

    @property
    def head(self) -> Head | None:
        """The last event's place, None when there is none."""
        return Head(self.events[-1].seq, self.events[-1].hash) if self.events else None

    @property
    def current(self) -> PublicKey:
        """The primary that signs the next event."""
        return self._fold.current

    @property
    def retired_keys(self) -> tuple[tuple[PublicKey, int], ...]:
        """Former primaries, oldest first, each with the unix second of its rotation as signed."""
        return tuple(self._fold.retired.items())

    @property
    def nats_endpoints(self) -> tuple[NatsEndpoint, ...]:
        """Where mail goes, in the order in which the urls first appeared."""
        return tuple(self._fold.nats.values())

    @property
    def iroh_endpoints(self) -> tuple[IrohEndpoint, ...]:
        """Iroh endpoints that were added and not removed."""
        return tuple(self._fold.iroh.values())

    @property
    def devices(self) -> tuple[Device, ...]:
        """Devices that were added and not revoked."""
        return tuple(self._fold.devices.values())

    @property
    def subjects(self) -> tuple[Add, ...]:
        """Subjects that were added and not revoked."""
        return tuple(self._fold.subjects.values())

    @property
    def revoked_subjects(self) -> tuple[Identifier, ...]:
        """Subjects that were revoked and not added again."""
        return tuple(self._fold.revoked)

    @property
    def shared_files(self) -> SharedFiles | None:
        """The manifest that was set last."""
        return self._fold.shared

    def holds(self, event: Event) -> bool:
        """Tell whether this very event is in the chain; uploading it again is no conflict."""
        return event.seq <= len(self.events) and self.events[event.seq - 1].hash == event.hash

    def append(self, event: Event) -> Self:
        """Verify an event against the head and return the longer chain.

        Raises:
            ConflictError: seq or prev do not follow the head, which the error names.
            SigchainError: another key than the current one, a bad rotation, or the chain is full.
            SignatureError: a signature does not hold.
        """
        return self.extend((event,))

    def extend(self, events: Iterable[Event]) -> Self:
        """Append several events; cheaper than one by one.

        Raises:
            ConflictError: as `append`.
            SigchainError: as `append`.
            SignatureError: as `append`.
        """
        longer, size, fold, head = list(self.events), self.size, self._fold.branch(), self.head
        for event in events:
            size += len(event.encoded) + 1
            if size > MAX_CHAIN:
                raise SigchainError(f"a chain has at most {MAX_CHAIN} bytes")
            _check_place(event, head)
            _check_signatures(event, fold)
            fold.apply(event)
            longer.append(event)
            head = Head(event.seq, event.hash)
        return type(self)(self.genesis, tuple(longer), size, fold)


def _check_place(event: Event, head: Head | None) -> None:
    seq, hash_ = (0, None) if head is None else (head.seq, head.hash)
    if event.seq != seq + 1 or event.prev != hash_:
        raise ConflictError(f"event {event.seq} does not follow the head {seq}", seq=seq, hash=hash_)


def _check_signatures(event: Event, fold: Fold) -> None:
    if event.key != fold.current.primary:
        raise SigchainError(f"event {event.seq} is not signed by the current key")
    event.verify(fold.current)
    if isinstance(event.action, Rotate):
        _check_consent(event, event.action, fold)


def _check_consent(event: Event, rotate: Rotate, fold: Fold) -> None:
    if rotate.new_primary == fold.current or rotate.new_primary in fold.retired:
        raise SigchainError(f"event {event.seq} rotates to a key that the chain has had")
    if rotate.new_primary.alg != fold.current.alg:
        raise SigchainError(f"event {event.seq} rotates to a key of another algorithm")
    agreed = {name: value for name, value in event.envelope.payload.items() if name != "new_signature"}
    rotate.new_primary.verify(ROTATE_PREFIX + canonicalize(agreed), rotate.signature)


def event_payload(
    chain_or_genesis: Chain | PublicKey, op: str, members: Members, created_at: int
) -> dict[str, Any]:
    """Return the payload that `Signer.sigchain_event` signs next.

    Args:
        chain_or_genesis: the chain to go on with, or the key of one that has no event yet.
        op: the operation's name.
        members: from one of the builders in `kezd.kez.sigchain`.
        created_at: unix seconds.

    Raises:
        SigchainError: the op or its members are not good.
        KeyMaterialError: they name a key that is not usable.
    """
    chain = Chain.empty(chain_or_genesis) if isinstance(chain_or_genesis, PublicKey) else chain_or_genesis
    # A rotation without its consent is what the new key signs first.
    if op != "rotate" or "new_signature" in members:
        read_action(op, members)
    return build_payload(chain.current, chain.head, op, members, created_at)


def compare(known: Chain, offered: Chain, *, origin: bool) -> Chain:
    """Compare the chain that was seen with the one that is offered now.

    Args:
        known: the longest chain verified so far.
        offered: the chain that a server or mirror shows.
        origin: True when it comes from the chain's own server.

    Returns:
        The longer chain; `known` when they are equally long.

    Raises:
        SigchainError: chains of two identities.
        ForkError: two different payloads at one seq.
        RollbackError: the chain's own server shows less than was seen.
        StaleError: a mirror does.
    """
    if known.genesis != offered.genesis:
        raise SigchainError(f"that is the chain of {shown(offered.genesis.primary)}")
    for mine, theirs in zip(known.events, offered.events, strict=False):
        if mine.payload_hash != theirs.payload_hash:
            raise ForkError(f"the chain has forked at event {mine.seq}", seq=mine.seq)
    if len(offered.events) < len(known.events):
        text = f"{len(offered.events)} events are shown where {len(known.events)} were seen"
        raise RollbackError(text) if origin else StaleError(text)
    return offered if len(offered.events) > len(known.events) else known
