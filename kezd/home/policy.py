"""The rules of the NATS side, as values: what an identity may do, and how much of it.

Pure. nats-server treats an empty allow list as "everything", so a permission set here can never
be empty; people never get a subject that reaches JetStream's API beyond pulling and
acknowledging on their own consumer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kezd.home.nats_config import STREAM
from kezd.home.store.ports import StoredSession
from kezd.kez.keys import PublicKey

KIB = 1024
MIB = 1024 * KIB
DAY_SECONDS = 86_400
DEVICE = "0"
"""The only device that exists until chains name more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """PROTOCOL 8, "Retention": counts, bytes, seconds."""

    pending_per_inbox: int = 1_000
    pending_messages: int = 5_000
    pending_bytes: int = 64 * MIB
    max_message: int = 192 * KIB
    header_room: int = KIB
    """The stream counts a message's headers, too."""
    max_age: int = 14 * DAY_SECONDS
    max_rpc_payload: int = 4 * KIB
    jwt_ttl: float = 3_600.0
    ack_wait: float = 10.0
    """When a delivery that nobody acknowledged is made again, for instance after a crash."""
    resume_share: float = 0.8
    """A sender over quota may write again below this share of it (so that nothing flaps)."""

    @property
    def max_stored(self) -> int:
        """Bytes of the largest message with its headers."""
        return self.max_message + self.header_room


class Kind(StrEnum):
    """Who was admitted."""

    IDENTITY = "identity"
    GUEST = "guest"


class Refusal(StrEnum):
    """Why somebody was not; for metrics and logs, the refused see no difference."""

    BAD_REQUEST = "bad_request"
    NO_NKEY = "no_nkey"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN = "unknown"
    ROTATED = "rotated"
    CONNECTION_TYPE = "connection_type"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects of a user JWT; neither list may be empty."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.publish or not self.subscribe:
            raise ValueError("an empty allow list allows everything")

    def claims(self) -> dict[str, Any]:
        """The `nats` members of a user JWT."""
        return {"pub": {"allow": list(self.publish)}, "sub": {"allow": list(self.subscribe)}}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A connection that may come in."""

    kind: Kind
    identity: PublicKey
    permissions: Permissions
    generation: int | None
    installation_id: str
    sending: bool = field(default=True)


def session_subject(identity: PublicKey) -> str:
    """Where an identity asks home for its session."""
    return f"kez.rpc.{identity.hex}.session"


def consumer_name(identity: PublicKey, generation: int) -> str:
    """The durable of one device and one fencing generation."""
    return f"{identity.hex}_{DEVICE}_{generation}"


def reachable_generation(session: StoredSession | None, installation_id: str) -> int:
    """The generation whose consumer an installation may pull.

    The live installation gets its own; any other one gets the next, which exists only once home
    has granted it a takeover.
    """
    if session is None:
        return 1
    return session.generation if session.installation_id == installation_id else session.generation + 1


def identity_permissions(
    identity: PublicKey, tags: Sequence[str], generation: int, *, sending: bool
) -> Permissions:
    """What a registered identity may do; without `sending` it may read and ask, not write."""
    consumer = consumer_name(identity, generation)
    publish = [
        session_subject(identity),
        f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}",
        f"$JS.ACK.{STREAM}.{consumer}.>",
    ]
    if sending:
        publish.extend(f"kez.inbox.*.*.{tag}" for tag in tags)
    return Permissions(tuple(publish), (f"_INBOX_{identity.hex}.>",))


def guest_permissions(guest: PublicKey, tags: Sequence[str], *, sending: bool) -> Permissions:
    """What a guest key of another home's person may do: write, nothing to read."""
    publish = [session_subject(guest)]
    if sending:
        publish.extend(f"kez.inbox.*.*.{tag}" for tag in tags)
    return Permissions(tuple(publish), (f"_INBOX_{guest.hex}.>",))
