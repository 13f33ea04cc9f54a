"""Shapes of `claims`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class Evidence(TypedDict):
    """What a judgement rests on."""

    where: str
    """The place that decided, for people: a URL, or the name of a record."""
    proof: NotRequired[str | None]
    """The proof as it was there, in compact form."""
    proof_sha256: NotRequired[str | None]
    """Of the proof's canonical JSON."""
    signed_by: NotRequired[str | None]
    """The primary that signed it."""
    signed_at: NotRequired[int | None]
    expires_at: NotRequired[int | None]


class ClaimCheck(TypedDict):
    """Whether a claim holds, and how old that knowledge is."""

    subject: str
    primary: str | None
    """The first key of the chain that it was looked for; null when nobody's proof is there."""
    status: Literal[
        "expired",
        "fork",
        "invalid",
        "not_found",
        "primary_mismatch",
        "revoked",
        "rollback",
        "subject_mismatch",
        "unreachable",
        "valid",
    ]
    reason: str
    evidence: NotRequired[Evidence | None]
    checked_at: NotRequired[int | None]
    """When it was last judged; null when it never was."""
    last_status: NotRequired[
        Literal[
            "expired",
            "fork",
            "invalid",
            "not_found",
            "primary_mismatch",
            "revoked",
            "rollback",
            "subject_mismatch",
            "unreachable",
            "valid",
        ]
        | None
    ]
    """What was found then; differs from `status` while that is `unreachable`."""
    last_good_at: NotRequired[int | None]
    retry_at: NotRequired[int | None]
    """The service wants to be asked again then."""


class Candidate(TypedDict):
    """Somebody who says that they are the subject, checked by this peer."""

    handle: str | None
    primary: str
    check: ClaimCheck


class ClaimAuthorizeParams(TypedDict):
    """Let kezd publish as an account of ours; the secret is kept in the vault."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    system: Literal["ap", "bluesky", "github", "nostr"]
    account: str
    secret: str
    """A GitHub token with `gist`, an app password, a Mastodon token, or `nsec1…`."""


class ClaimCreateParams(TypedDict):
    """Sign that we are a subject."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    subject: str
    expires_in_s: NotRequired[int | None]
    """Seconds that it holds; null for ever."""


class ClaimItem(TypedDict):
    """A claim of ours."""

    subject: str
    primary: str
    step: Literal["added", "published", "publishing", "revoked", "signed", "verified"]
    created_at: NotRequired[int | None]
    expires_at: NotRequired[int | None]
    url: NotRequired[str | None]
    """Where it is published."""
    check: NotRequired[ClaimCheck | None]


class Encodings(TypedDict):
    """One proof, written in four ways."""

    json: str
    compact: str
    markdown: str
    dns: str
    """A line for a zone file."""


class ClaimCreateResult(TypedDict):
    """The signed claim."""

    claim: ClaimItem
    envelope: str
    """Canonical JSON."""
    encodings: Encodings


class ClaimEvent(TypedDict):
    """A proof was seen, changed or vanished, or a snapshot holds no more."""

    type: Literal["changed", "follow_broken", "revoked", "vanished", "verified"]
    primary: str
    subject: NotRequired[str | None]
    handle: NotRequired[str | None]
    status: NotRequired[
        Literal[
            "expired",
            "fork",
            "invalid",
            "not_found",
            "primary_mismatch",
            "revoked",
            "rollback",
            "subject_mismatch",
            "unreachable",
            "valid",
        ]
        | None
    ]
    reason: NotRequired[str]


class ClaimForgetParams(TypedDict):
    """Forget the secret of an account."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    system: Literal["ap", "bluesky", "github", "nostr"]
    account: str


class ClaimPublishParams(TypedDict):
    """Publish a claim, wait until it is seen, then add it to the sigchain. Calling again goes on."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    subject: str
    wait_s: NotRequired[int]
    """Seconds to wait until the proof is seen."""


class ClaimPublishResult(TypedDict):
    """How far it came."""

    claim: ClaimItem
    done: bool
    """Whether the proof was seen and the sigchain names it."""
    paste: NotRequired[str | None]
    """What the person has to publish: a zone-file line, or the content of `/.well-known/kez.json`."""
    paste_where: NotRequired[str | None]
    left: NotRequired[list[str]]
    """What could not be done now, for people; calling again tries it again."""


class ClaimRef(TypedDict):
    """Names a claim of ours."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    subject: str


class ClaimsResult(TypedDict):
    """Claims of ours, by subject."""

    items: list[ClaimItem]


class CredentialsResult(TypedDict):
    """Accounts that kezd may publish as; never their secrets."""

    accounts: list[str]
    """`system:account`."""


class Follow(TypedDict):
    """Somebody whom we follow."""

    primary: str
    handle: str | None
    since: int
    chain_seq: int
    chain_head: str | None
    claims: dict[
        str,
        Literal[
            "expired",
            "fork",
            "invalid",
            "not_found",
            "primary_mismatch",
            "revoked",
            "rollback",
            "subject_mismatch",
            "unreachable",
            "valid",
        ],
    ]
    """As they were seen then."""
    broken: NotRequired[str | None]
    """Why the snapshot holds no more; null while it does."""


class FollowParams(TypedDict):
    """Whom to follow: keep a signed snapshot, and be told when it holds no more."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    who: str
    progress_token: NotRequired[str | int | None]


class FollowsResult(TypedDict):
    """Everybody whom we follow."""

    items: list[Follow]


class GraphFindParams(TypedDict):
    """Who is that?"""

    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    subject: str
    server: NotRequired[str | None]
    """Whose home server is asked; our own by default."""


class GraphFindResult(TypedDict):
    """Candidates, those that hold first."""

    items: list[Candidate]
    left: NotRequired[list[str]]
    """Who could not be asked."""


class GraphProfile(TypedDict):
    """Somebody with all that they claim."""

    primary: str
    """The first key of their chain."""
    current: str
    """The key that speaks for them now."""
    handle: str | None
    chain_seq: int
    chain_head: str | None
    alarm: NotRequired[Literal["fork", "rollback"] | None]
    """Their sigchain contradicts what was seen before."""
    chain_trouble: NotRequired[str | None]
    """Why the chain is the one known before: its server could not be asked."""
    claims: list[ClaimCheck]
    more: NotRequired[int]
    """Claims beyond the 64 that are shown."""
    followed_since: NotRequired[int | None]
    follow_broken: NotRequired[str | None]


class GraphRef(TypedDict):
    """Names somebody whom we follow, by handle or primary."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    who: str


class GraphShowParams(TypedDict):
    """Whose profile."""

    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    who: str
    """A handle or a primary."""
    fresh: NotRequired[bool]


class GraphVerifyParams(TypedDict):
    """Whom or what to check."""

    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    what: str
    """An identifier, a handle, a primary, or any text with a proof in it."""
    fresh: NotRequired[bool]
    """Look now, whatever is known."""


class GraphVerifyResult(TypedDict):
    """Whether it holds; for a person, all that they claim."""

    kind: Literal["claim", "person", "proof"]
    status: Literal[
        "expired",
        "fork",
        "invalid",
        "not_found",
        "primary_mismatch",
        "revoked",
        "rollback",
        "subject_mismatch",
        "unreachable",
        "valid",
    ]
    reason: str
    primary: NotRequired[str | None]
    handle: NotRequired[str | None]
    claims: NotRequired[list[ClaimCheck]]
    """One for a claim or a proof."""
