"""`sigchain.*`: the signed log of an identity: reading it, giving it away, taking it in, writing into it."""

from typing import Literal

import msgspec

from kezd.api.types.base import Mutation, Params, Result

CopyVerdict = Literal["same", "newer", "older"]
"""What a copy of a chain is beside what is known."""


class SigchainShowParams(Params, frozen=True, kw_only=True):
    """A sigchain in readable form; the newest events, oldest first."""

    who: str | None = None
    """A contact's handle or primary; None for our own."""
    limit: int = 100


class SigchainExportParams(Params, frozen=True, kw_only=True):
    """A sigchain as bytes that others can verify."""

    who: str | None = None
    format: Literal["jsonl", "bundle", "zone"] = "jsonl"
    domain: str | None = None
    """For `zone`: the domain whose TXT record it becomes."""
    path: str | None = None
    """A new file for it; without one it comes as `text`, up to 512 KiB."""


class SigchainImportParams(Mutation, frozen=True, kw_only=True):
    """Take in a sigchain that came another way: compared with what is known, longer ones are kept."""

    text: str | None = None
    """JSONL, a bundle (`kez:zc1:…`) or TXT records."""
    path: str | None = None


class SigchainAddDeviceParams(Mutation, frozen=True, kw_only=True):
    """Say in our sigchain that a device is ours."""

    device: str
    name: str
    key: str
    capabilities: list[str] = msgspec.field(default_factory=list)


class SigchainRevokeDeviceParams(Mutation, frozen=True, kw_only=True):
    """Say that a device is ours no more."""

    device: str


class SigchainAddEndpointParams(Mutation, frozen=True, kw_only=True):
    """Say where we are reached, beside what the peer says by itself."""

    protocol: Literal["nats", "iroh"]
    url: str | None = None
    """For `nats`; its inbox is ours."""
    node_id: str | None = None
    """For `iroh`."""


class SigchainRemoveEndpointParams(Mutation, frozen=True, kw_only=True):
    """Say that we are not reached there any more."""

    protocol: Literal["nats", "iroh"]
    id: str


class SigchainRotateParams(Mutation, frozen=True, kw_only=True):
    """Begin to change the key: its words, to be written on paper; nothing is signed yet."""

    words: Literal[12, 24] = 24
    phrase: str | None = None
    """Words that there are already; they take the place of a key that was shown before."""


class SigchainRotateConfirmParams(Mutation, frozen=True, kw_only=True):
    """The new words at the positions asked for, keyed by position as text; then the key is changed."""

    answers: dict[str, str]


class SigchainRotateCancelParams(Mutation, frozen=True, kw_only=True):
    """Forget a new key that was not confirmed."""


class SigchainDismissParams(Mutation, frozen=True, kw_only=True):
    """The person has looked at the alarm about their own sigchain."""


class SigchainPublishParams(Mutation, frozen=True, kw_only=True):
    """Put our sigchain where others find it, and read it back from there."""

    to: Literal["server", "file", "nostr"] = "server"
    path: str | None = None
    """For `file`: what a web server shows at `/.well-known/kez-sigchain.jsonl`; an older one is replaced."""
    account: str | None = None
    """For `nostr`: the npub whose credential (`claims.authorize`) publishes it."""


class SigchainCheckParams(Params, frozen=True, kw_only=True):
    """Read a copy of a sigchain and compare it with what is known."""

    source: Literal["web", "dns", "nostr"]
    at: str
    """The domain for `web` and `dns`, the npub for `nostr`."""
    who: str | None = None


class RotateResult(Result, frozen=True, kw_only=True):
    """The new words; the same again until they are confirmed."""

    primary: str
    """The key that will sign."""
    words: list[str]
    ask: list[int]
    """1-based positions of the words that `sigchain.rotate_confirm` wants."""


class SigchainHead(Result, frozen=True, kw_only=True):
    """The last event."""

    seq: int
    hash: str


class SigchainCopyResult(Result, frozen=True, kw_only=True):
    """A copy as it was read back. A fork is an error, and an alarm."""

    where: str
    verdict: CopyVerdict
    """`older` is a copy that lags behind; `newer` was kept."""
    head: SigchainHead | None


class SigchainEvent(Result, frozen=True, kw_only=True):
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


class SigchainDevice(Result, frozen=True, kw_only=True):
    """A device that is the identity's."""

    device: str
    name: str
    key: str
    capabilities: list[str]


class SigchainEndpoint(Result, frozen=True, kw_only=True):
    """Where the identity is reached."""

    protocol: Literal["nats", "iroh"]
    id: str
    """The url of a NATS endpoint, the node id of an Iroh one."""
    inbox: str | None = None
    accepts: list[int] = msgspec.field(default_factory=list)


class SigchainSubject(Result, frozen=True, kw_only=True):
    """Another name that the identity says it has."""

    subject: str
    proof_url: str | None = None


class SigchainFormerKey(Result, frozen=True, kw_only=True):
    """A primary that signs no more."""

    key: str
    rotated_at: int
    """Milliseconds, as signed."""


class SigchainResult(Result, frozen=True, kw_only=True):
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
    alarm: str | None = None
    """What stands against it: a fork, a rollback."""


class SigchainExportResult(Result, frozen=True, kw_only=True):
    """The exported sigchain."""

    genesis: str
    head: SigchainHead | None
    text: str | None = None
    path: str | None = None


class SigchainImportResult(Result, frozen=True, kw_only=True):
    """What an imported sigchain was, beside what is known."""

    genesis: str
    own: bool
    verdict: CopyVerdict
    """`newer` was kept; `older` is a copy that lags behind. A fork is an error, and an alarm."""
    head: SigchainHead | None
    known_before: int
    """Events that were known."""
