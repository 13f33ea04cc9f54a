"""What the services need from the world, and from one another.

Each port has a contract suite under `tests/contract/` and at least two implementations,
or stands at the boundary between two services.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kezd.api.types import CopyVerdict, IdentityResult
from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.heads import SeenHead
from kezd.kez.identifiers import Identifier
from kezd.kez.keys import PublicKey
from kezd.kez.sigchain import Chain, Event, Head, Members
from kezd.kez.signing import Signer
from kezd.kez.verification import Place
from kezd.runtime.home_answers import FetchedChain, HandleRecord, HomeInfo
from kezd.runtime.transport import Capabilities, Delivery, Destination, LinkStatus, SendResult
from kezd.store.database import Transaction


class HomeDirectory(Protocol):
    """Handle lookups at the home of any server name (`net.home`).

    All raise `UnavailableError(HOME_UNREACHABLE)` when it does not answer, and
    `TrustError(HOME_LIED)` when the answer is not of the agreed shape.
    """

    async def info(self, server: str) -> HomeInfo:
        """What the home of `server` offers."""
        ...

    async def info_at(self, url: str) -> HomeInfo:
        """What the home at a URL that the person gave says of itself, its server's name included.

        Raises:
            RequestError: `invalid_argument` when a home is not asked at such a URL.
        """
        ...

    def use(self, server: str, url: str) -> None:
        """From now on the home of `server` is asked at `url` (the person's own home)."""
        ...

    async def lookup(self, handle: Handle) -> HandleRecord | None:
        """The record of a handle, or None: `/v1/u` first, and where a server has none, WebFinger.

        Raises:
            TrustError: `home_lied` also when WebFinger names a key and no signed registration.
        """
        ...

    async def lookup_primary(self, server: str, primary: PublicKey) -> HandleRecord | None:
        """The record of a key at one server, or None.

        Its primary is another key when the server says that this one signs that identity's chain
        now: the caller checks the chain.
        """
        ...

    async def register(self, server: str, registration: Envelope) -> HandleRecord:
        """Register; a repeat of the same bytes succeeds.

        Raises:
            RequestError: `handle_taken`, `primary_taken`, `invalid_argument`.
            UnavailableError: `home_unreachable`, `home_refused`, `rate_limited`.
        """
        ...

    async def fetch_chain(
        self, sigchain_url: str, genesis: PublicKey, etag: str | None = None
    ) -> FetchedChain | None:
        """The chain (no bytes when the server knows none), or None when it still has that `etag`."""
        ...

    async def find_by_proof(self, server: str, subject: Identifier) -> tuple[Handle, ...]:
        """Handles at one server that want to be found by a subject: a hint, anybody may want that."""
        ...

    async def put_profile(self, server: str, handle: Handle, profile: Envelope) -> None:
        """Say what a handle wants to be found by (`Signer.profile_proofs`).

        Raises:
            RequestError: `idempotency_conflict` when the server has a newer one; `invalid_argument`.
            UnavailableError: `home_refused`, `rate_limited`.
        """
        ...

    async def append_event(self, sigchain_url: str, genesis: PublicKey, event: Event) -> Head:
        """Upload one event; identical repeats succeed.

        Raises:
            RequestError: `idempotency_conflict` with `detail={"head": {"seq", "hash"}}` when the
                event does not follow the server's head; `invalid_argument`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """Where and how a contact is reached, from their verified chain."""

    genesis: PublicKey
    recipient: PublicKey
    """Their current primary: who the message is sealed for."""
    nats_url: str
    inbox: str
    device: str
    accepts: tuple[int, ...]
    handle: str | None = None
    seen: Head | None = None
    """Of their sigchain, as far as we have verified it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a message's `from` key is to us."""

    genesis: PublicKey
    handle: str | None
    state: str
    """`accepted`, `request` or `blocked`."""


class ContactBook(Protocol):
    """What chat needs of contacts (`services.contacts`). Sync methods run inside a transaction."""

    def named(self, tx: Transaction, name: str) -> PublicKey:
        """Genesis of a contact given by handle or primary. `RequestError(NOT_A_CONTACT)`."""
        ...

    def route(self, tx: Transaction, genesis: PublicKey) -> Route:
        """How to reach them.

        Raises:
            TrustError: an alarm stands (`key_changed`, `chain_fork`, `chain_rollback`).
            RequestError: `not_a_contact`, `blocked`, `request_pending`, `no_common_version`.
        """
        ...

    def route_by_name(self, tx: Transaction, name: str) -> Route:
        """`named` and `route` in one look-up; raises what both do."""
        ...

    def sender(self, tx: Transaction, key: PublicKey) -> Sender:
        """Who wrote: a contact by any key its chain authorises, else a new request contact."""
        ...

    def known(self, tx: Transaction, genesis: PublicKey) -> Sender | None:
        """The contact whose chain began with that key; never makes one, writes nothing (for lists)."""
        ...

    def wants_lookup(self, genesis: PublicKey) -> None:
        """Ask for a background lookup of a stranger's handle and chain. Never blocks."""
        ...


class Report(Protocol):
    """Tells how far a long call is; cheap, never raises."""

    def __call__(self, done: int, total: int | None, text: str, /) -> None:
        """`done` of `total`, None while unknown, and what is being done."""
        ...


TellOwn = Callable[[PublicKey, SeenHead], None]
"""Tells the identity what a contact (its genesis) has seen of our own sigchain. Never blocks."""


class HeadGossip(Protocol):
    """Heads of sigchains that peers tell one another (`services.contacts`)."""

    def own_head(self) -> SeenHead | None:
        """Of our own chain; may be called from any thread."""
        ...

    def said_to_be(self, tx: Transaction, key: PublicKey, heads: Sequence[SeenHead]) -> PublicKey | None:
        """The contact whom a key that nobody is known by says that it is, to be looked at soon."""
        ...

    def heard(self, tx: Transaction, sender: PublicKey, heads: Sequence[SeenHead]) -> list[SeenHead]:
        """Hold what a contact tells against what is known; what is to be `told` after the commit."""
        ...

    def told(self, teller: PublicKey, heads: Sequence[SeenHead]) -> None:
        """After the commit: what `heard` found about our own chain."""
        ...

    def look(self) -> None:
        """After the commit: whoever is due is looked at now."""
        ...


class Channels(Protocol):
    """Where proofs are looked for; one channel a system."""

    @property
    def systems(self) -> frozenset[str]:
        """That can be looked at."""
        ...

    async def look(self, subject: Identifier) -> tuple[Place, ...]:
        """What the subject has published; its system is one of `systems`.

        Raises:
            UnavailableError: `service_unreachable`; `rate_limited` with `retry_after_ms`.
        """
        ...


@dataclass(frozen=True, slots=True)
class PublishedProof:
    """Where a proof is; `handle` is what its publisher needs to take it away again."""

    url: str
    handle: str


class Publishers(Protocol):
    """Where proofs are published with a credential; one publisher a system."""

    @property
    def systems(self) -> frozenset[str]:
        """That can be published at."""
        ...

    async def publish(
        self, subject: Identifier, claim: Envelope, secret: str, now: int, *, again: bool
    ) -> PublishedProof:
        """Publish a proof; `again` when an earlier attempt may have done it: then it is looked for first.

        Raises:
            AccessError: `credential_refused`.
            UnavailableError: `service_unreachable`, `rate_limited`; it may have been done.
        """
        ...

    async def remove(self, subject: Identifier, published: PublishedProof, secret: str) -> None:
        """Take a proof away; done when it is not there. Raises as `publish`."""
        ...


class Credentials(Protocol):
    """Secrets of accounts at other services, in the vault."""

    def names(self) -> list[str]:
        """Of all, `system:account`."""
        ...

    def get(self, name: str) -> str | None:
        """The secret of an account."""
        ...

    async def put(self, name: str, secret: str | None) -> None:
        """Keep one, or forget it.

        Raises:
            RequestError: `too_large`, there is no room for it.
            StoreError: the vault could not be written.
        """
        ...


class Owner(Protocol):
    """The person whose peer this is, while their identity is active (`services.identity`)."""

    @property
    def signer(self) -> Signer:
        """Their key."""
        ...

    @property
    def primary(self) -> PublicKey:
        """The first key of their chain."""
        ...

    @property
    def handle(self) -> Handle:
        """As registered."""
        ...


class ChainWriter(Protocol):
    """The one way to write into our own sigchain (`services.identity`)."""

    async def append(self, op: str, members: Members) -> Head:
        """Sign one event, store it, upload it, apply it; the head after it.

        What the chain says already is not said again: the answer is its head. After a crash the stored
        event goes up with the same bytes, so repeating a call whose answer was lost is safe.

        Args:
            op: the operation's name.
            members: from one of the builders in `kezd.kez.sigchain`.

        Raises:
            RequestError: `no_identity`, `identity_pending`, `not_registered`, `invalid_argument`.
            UnavailableError: `superseded`; `home_unreachable` and its like: what was signed is stored, resent.
            TrustError: `chain_fork`, `chain_invalid`, `home_lied`.
        """
        ...


class ChainKeeper(Protocol):
    """Whoever keeps verified chains."""

    async def take_copy(self, offered: Chain) -> CopyVerdict:
        """Compare a verified chain that came another way; a longer one is kept.

        Raises:
            RequestError: `not_a_contact`.
            TrustError: `chain_fork`; the alarm is raised.
        """
        ...


MirrorSource = Literal["web", "dns", "nostr"]


class ChainMirrors(Protocol):
    """Copies of sigchains elsewhere than at their server."""

    async def fetch(self, source: MirrorSource, at: str) -> list[str]:
        """What is there that may be a sigchain; `at` is a domain or an npub.

        Raises:
            UnavailableError: `service_unreachable`, `rate_limited`.
            RequestError: `invalid_argument`.
        """
        ...

    async def publish_nostr(self, bundle: str, secret: str, now: int) -> tuple[str, str]:
        """Publish at the configured relays (kind 30078); the npub, and where it is.

        Raises:
            AccessError: `credential_refused`.
            UnavailableError: `service_unreachable`; it may have been done.
        """
        ...


class OwnSigchain(ChainWriter, ChainKeeper, Protocol):
    """Our own sigchain (`services.identity`)."""

    @property
    def chain(self) -> Chain | None:
        """As it is applied here, None before there is an identity."""
        ...

    async def show(self) -> IdentityResult:
        """The identity as it is now."""
        ...

    async def republish(self) -> Chain:
        """Bring our chain and its server together, then read it back from there.

        Raises:
            UnavailableError: `home_unreachable` and its like.
            TrustError: `chain_fork`, `chain_rollback`, `chain_invalid`, `home_lied`.
        """
        ...

    async def dismiss_alarm(self) -> None:
        """The person has looked at what contradicts our chain."""
        ...


class MessageTransport(Protocol):
    """A pipe for sealed envelopes: NATS, a spool, later nostr relays. It opens nothing."""

    @property
    def capabilities(self) -> Capabilities:
        """What this pipe can do."""
        ...

    def status(self) -> LinkStatus:
        """State of the link now."""
        ...

    async def wait_status_change(self, seen: LinkStatus) -> LinkStatus:
        """Wait until the status differs from `seen` (in more than its counters)."""
        ...

    async def send(self, to: Destination, data: bytes, dedupe_key: str, *, first_attempt: bool) -> SendResult:
        """Hand over one envelope; many calls may be under way at once.

        Args:
            to: where the recipient's chain says.
            data: sealed bytes, the same at each attempt.
            dedupe_key: 32 hex digits; the pipe keeps one message for each.
            first_attempt: whether these bytes can not have been sent before.

        Raises:
            TransportUnavailableError: fate unknown; send again later.
        """
        ...

    async def receive(self) -> Sequence[Delivery]:
        """Wait for at least one envelope and return all that wait (at most 256)."""
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Say that these are stored; they do not come again."""
        ...
