"""Shapes of `sigchain`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class RotateResult(TypedDict):
    """The new words; the same again until they are confirmed."""

    primary: str
    """The key that will sign."""
    words: list[str]
    ask: list[int]
    """1-based positions of the words that `sigchain.rotate_confirm` wants."""


class SigchainAddDeviceParams(TypedDict):
    """Say in our sigchain that a device is ours."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    device: str
    name: str
    key: str
    capabilities: NotRequired[list[str]]


class SigchainAddEndpointParams(TypedDict):
    """Say where we are reached, beside what the peer says by itself."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    protocol: Literal["iroh", "nats"]
    url: NotRequired[str | None]
    """For `nats`; its inbox is ours."""
    node_id: NotRequired[str | None]
    """For `iroh`."""


class SigchainCheckParams(TypedDict):
    """Read a copy of a sigchain and compare it with what is known."""

    source: Literal["dns", "nostr", "web"]
    at: str
    """The domain for `web` and `dns`, the npub for `nostr`."""
    who: NotRequired[str | None]


class SigchainHead(TypedDict):
    """The last event."""

    seq: int
    hash: str


class SigchainCopyResult(TypedDict):
    """A copy as it was read back. A fork is an error, and an alarm."""

    where: str
    verdict: Literal["newer", "older", "same"]
    """`older` is a copy that lags behind; `newer` was kept."""
    head: SigchainHead | None


class SigchainDevice(TypedDict):
    """A device that is the identity's."""

    device: str
    name: str
    key: str
    capabilities: list[str]


class SigchainDismissParams(TypedDict):
    """The person has looked at the alarm about their own sigchain."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""


class SigchainEndpoint(TypedDict):
    """Where the identity is reached."""

    protocol: Literal["iroh", "nats"]
    id: str
    """The url of a NATS endpoint, the node id of an Iroh one."""
    inbox: NotRequired[str | None]
    accepts: NotRequired[list[int]]


class SigchainEvent(TypedDict):
    """One event."""

    seq: int
    op: str
    created_at: int
    """Milliseconds, as signed; decides nothing."""
    says: str
    """In a sentence."""
    key: str
    """The primary that signed it."""
    hash: str


class SigchainExportParams(TypedDict):
    """A sigchain as bytes that others can verify."""

    who: NotRequired[str | None]
    format: NotRequired[Literal["bundle", "jsonl", "zone"]]
    domain: NotRequired[str | None]
    """For `zone`: the domain whose TXT record it becomes."""
    path: NotRequired[str | None]
    """A new file for it; without one it comes as `text`, up to 512 KiB."""


class SigchainExportResult(TypedDict):
    """The exported sigchain."""

    genesis: str
    head: SigchainHead | None
    text: NotRequired[str | None]
    path: NotRequired[str | None]


class SigchainFormerKey(TypedDict):
    """A primary that signs no more."""

    key: str
    rotated_at: int
    """Milliseconds, as signed."""


class SigchainImportParams(TypedDict):
    """Take in a sigchain that came another way: compared with what is known, longer ones are kept."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    text: NotRequired[str | None]
    """JSONL, a bundle (`kez:zc1:…`) or TXT records."""
    path: NotRequired[str | None]


class SigchainImportResult(TypedDict):
    """What an imported sigchain was, beside what is known."""

    genesis: str
    own: bool
    verdict: Literal["newer", "older", "same"]
    """`newer` was kept; `older` is a copy that lags behind. A fork is an error, and an alarm."""
    head: SigchainHead | None
    known_before: int
    """Events that were known."""


class SigchainPublishParams(TypedDict):
    """Put our sigchain where others find it, and read it back from there."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    to: NotRequired[Literal["file", "nostr", "server"]]
    path: NotRequired[str | None]
    """For `file`: what a web server shows at `/.well-known/kez-sigchain.jsonl`; an older one is replaced."""
    account: NotRequired[str | None]
    """For `nostr`: the npub whose credential (`claims.authorize`) publishes it."""


class SigchainRemoveEndpointParams(TypedDict):
    """Say that we are not reached there any more."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    protocol: Literal["iroh", "nats"]
    id: str


class SigchainSubject(TypedDict):
    """Another name that the identity says it has."""

    subject: str
    proof_url: NotRequired[str | None]


class SigchainResult(TypedDict):
    """A verified sigchain."""

    genesis: str
    key: str
    """The primary that signs now."""
    handle: str | None
    own: bool
    head: SigchainHead | None
    events: list[SigchainEvent]
    earlier: int
    """Events before the first one shown."""
    devices: list[SigchainDevice]
    endpoints: list[SigchainEndpoint]
    subjects: list[SigchainSubject]
    revoked: list[str]
    former_keys: list[SigchainFormerKey]
    alarm: NotRequired[str | None]
    """What stands against it: a fork, a rollback."""


class SigchainRevokeDeviceParams(TypedDict):
    """Say that a device is ours no more."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    device: str


class SigchainRotateCancelParams(TypedDict):
    """Forget a new key that was not confirmed."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""


class SigchainRotateConfirmParams(TypedDict):
    """The new words at the positions asked for, keyed by position as text; then the key is changed."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    answers: dict[str, str]


class SigchainRotateParams(TypedDict):
    """Begin to change the key: its words, to be written on paper; nothing is signed yet."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    words: NotRequired[Literal[12, 24]]
    phrase: NotRequired[str | None]
    """Words that there are already; they take the place of a key that was shown before."""


class SigchainShowParams(TypedDict):
    """A sigchain in readable form; the newest events, oldest first."""

    who: NotRequired[str | None]
    """A contact's handle or primary; None for our own."""
    limit: NotRequired[int]
