"""`claims.*`: what we say that we are; `graph.*`: what others say, and whether it holds."""

from typing import Annotated, Literal

import msgspec

from kezd.api.types.base import LongMutation, LongParams, Mutation, ProgressToken, Result

ProofStatus = Literal[
    "valid",
    "revoked",
    "expired",
    "unreachable",
    "fork",
    "rollback",
    "not_found",
    "invalid",
    "subject_mismatch",
    "primary_mismatch",
]
"""`unreachable`: it could not be checked now, and `last_status` still stands."""
ClaimStep = Literal["signed", "publishing", "published", "verified", "added", "revoked"]
"""How far a claim of ours has come; `added`: it is in the sigchain, done."""
Subject = Annotated[str, msgspec.Meta(min_length=3, max_length=256)]
"""`github:alice`, `dns:alice.example`, …"""


class Evidence(Result, frozen=True, kw_only=True):
    """What a judgement rests on."""

    where: str
    """The place that decided, for people: a URL, or the name of a record."""
    proof: str | None = None
    """The proof as it was there, in compact form."""
    proof_sha256: str | None = None
    """Of the proof's canonical JSON."""
    signed_by: str | None = None
    """The primary that signed it."""
    signed_at: int | None = None
    expires_at: int | None = None


class ClaimCheck(Result, frozen=True, kw_only=True):
    """Whether a claim holds, and how old that knowledge is."""

    subject: str
    primary: str | None
    """The first key of the chain that it was looked for; null when nobody's proof is there."""
    status: ProofStatus
    reason: str
    evidence: Evidence | None = None
    checked_at: int | None = None
    """When it was last judged; null when it never was."""
    last_status: ProofStatus | None = None
    """What was found then; differs from `status` while that is `unreachable`."""
    last_good_at: int | None = None
    retry_at: int | None = None
    """The service wants to be asked again then."""


class Encodings(Result, frozen=True, kw_only=True):
    """One proof, written in four ways."""

    json: str
    compact: str
    markdown: str
    dns: str
    """A line for a zone file."""


class ClaimItem(Result, frozen=True, kw_only=True):
    """A claim of ours."""

    subject: str
    primary: str
    step: ClaimStep
    created_at: int | None = None
    expires_at: int | None = None
    url: str | None = None
    """Where it is published."""
    check: ClaimCheck | None = None


class ClaimCreateParams(Mutation, frozen=True, kw_only=True):
    """Sign that we are a subject."""

    subject: Subject
    expires_in_s: Annotated[int, msgspec.Meta(ge=60, le=100 * 366 * 86400)] | None = None
    """Seconds that it holds; null for ever."""


class ClaimCreateResult(Result, frozen=True, kw_only=True):
    """The signed claim."""

    claim: ClaimItem
    envelope: str
    """Canonical JSON."""
    encodings: Encodings


class ClaimAuthorizeParams(Mutation, frozen=True, kw_only=True):
    """Let kezd publish as an account of ours; the secret is kept in the vault."""

    system: Literal["github", "bluesky", "ap", "nostr"]
    account: Annotated[str, msgspec.Meta(min_length=1, max_length=240)]
    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    """A GitHub token with `gist`, an app password, a Mastodon token, or `nsec1…`."""


class ClaimForgetParams(Mutation, frozen=True, kw_only=True):
    """Forget the secret of an account."""

    system: Literal["github", "bluesky", "ap", "nostr"]
    account: Annotated[str, msgspec.Meta(min_length=1, max_length=240)]


class CredentialsResult(Result, frozen=True, kw_only=True):
    """Accounts that kezd may publish as; never their secrets."""

    accounts: list[str]
    """`system:account`."""


class ClaimPublishParams(LongMutation, frozen=True, kw_only=True):
    """Publish a claim, wait until it is seen, then add it to the sigchain. Calling again goes on."""

    subject: Subject
    wait_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 120
    """Seconds to wait until the proof is seen."""


class ClaimPublishResult(Result, frozen=True, kw_only=True):
    """How far it came."""

    claim: ClaimItem
    done: bool
    """Whether the proof was seen and the sigchain names it."""
    paste: str | None = None
    """What the person has to publish: a zone-file line, or the content of `/.well-known/kez.json`."""
    paste_where: str | None = None
    left: list[str] = msgspec.field(default_factory=list)
    """What could not be done now, for people; calling again tries it again."""


class ClaimRef(LongMutation, frozen=True, kw_only=True):
    """Names a claim of ours."""

    subject: Subject


class ClaimsResult(Result, frozen=True, kw_only=True):
    """Claims of ours, by subject."""

    items: list[ClaimItem]


class GraphVerifyParams(LongParams, frozen=True, kw_only=True):
    """Whom or what to check."""

    what: Annotated[str, msgspec.Meta(min_length=1, max_length=262144)]
    """An identifier, a handle, a primary, or any text with a proof in it."""
    fresh: bool = False
    """Look now, whatever is known."""


class GraphVerifyResult(Result, frozen=True, kw_only=True):
    """Whether it holds; for a person, all that they claim."""

    kind: Literal["claim", "proof", "person"]
    status: ProofStatus
    reason: str
    primary: str | None = None
    handle: str | None = None
    claims: list[ClaimCheck] = msgspec.field(default_factory=list)
    """One for a claim or a proof."""


class GraphShowParams(LongParams, frozen=True, kw_only=True):
    """Whose profile."""

    who: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """A handle or a primary."""
    fresh: bool = False


class GraphProfile(Result, frozen=True, kw_only=True):
    """Somebody with all that they claim."""

    primary: str
    """The first key of their chain."""
    current: str
    """The key that speaks for them now."""
    handle: str | None
    chain_seq: int
    chain_head: str | None
    alarm: Literal["fork", "rollback"] | None = None
    """Their sigchain contradicts what was seen before."""
    chain_trouble: str | None = None
    """Why the chain is the one known before: its server could not be asked."""
    claims: list[ClaimCheck]
    more: int = 0
    """Claims beyond the 64 that are shown."""
    followed_since: int | None = None
    follow_broken: str | None = None


class GraphFindParams(LongParams, frozen=True, kw_only=True):
    """Who is that?"""

    subject: Subject
    server: Annotated[str, msgspec.Meta(max_length=253)] | None = None
    """Whose home server is asked; our own by default."""


class Candidate(Result, frozen=True, kw_only=True):
    """Somebody who says that they are the subject, checked by this peer."""

    handle: str | None
    primary: str
    check: ClaimCheck


class GraphFindResult(Result, frozen=True, kw_only=True):
    """Candidates, those that hold first."""

    items: list[Candidate]
    left: list[str] = msgspec.field(default_factory=list)
    """Who could not be asked."""


class FollowParams(Mutation, frozen=True, kw_only=True):
    """Whom to follow: keep a signed snapshot, and be told when it holds no more."""

    who: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    progress_token: ProgressToken | None = None


class Follow(Result, frozen=True, kw_only=True):
    """Somebody whom we follow."""

    primary: str
    handle: str | None
    since: int
    chain_seq: int
    chain_head: str | None
    claims: dict[str, ProofStatus]
    """As they were seen then."""
    broken: str | None = None
    """Why the snapshot holds no more; null while it does."""


class FollowsResult(Result, frozen=True, kw_only=True):
    """Everybody whom we follow."""

    items: list[Follow]


class ClaimEvent(Result, frozen=True, kw_only=True):
    """A proof was seen, changed or vanished, or a snapshot holds no more."""

    type: Literal["verified", "changed", "vanished", "revoked", "follow_broken"]
    primary: str
    subject: str | None = None
    handle: str | None = None
    status: ProofStatus | None = None
    reason: str = ""


class GraphRef(Mutation, frozen=True, kw_only=True):
    """Names somebody whom we follow, by handle or primary."""

    who: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
