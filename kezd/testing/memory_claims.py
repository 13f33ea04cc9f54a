"""Claims and graph of the memory peer: every method answers something of the right shape.

For tests of the RPC alone; what claims really do is in `tests/services/test_claims.py`.
"""

from kezd.api import types as t
from kezd.rpc.graph_ports import Report

PRIMARY = "ed25519:" + "d7" * 32
CLAIM = t.ClaimItem(subject="github:alice", primary=PRIMARY, step="signed")
CHECK = t.ClaimCheck(
    subject="github:alice", primary=PRIMARY, status="valid", reason="published by github:alice"
)
FOLLOW = t.Follow(primary=PRIMARY, handle="alice@kez.lat", since=1, chain_seq=0, chain_head=None, claims={})


class MemoryClaims:
    """Signs and publishes nothing."""

    async def create(self, subject: str, expires_in_s: int | None, *, dry_run: bool) -> t.ClaimCreateResult:
        """As if."""
        encodings = t.Encodings(json="{}", compact="kez:z1:", markdown="", dns="")
        return t.ClaimCreateResult(claim=CLAIM, envelope="{}", encodings=encodings)

    async def authorize(self, system: str, account: str, secret: str, *, dry_run: bool) -> None:
        """As if."""

    async def forget(self, system: str, account: str, *, dry_run: bool) -> None:
        """As if."""

    def credentials(self) -> t.CredentialsResult:
        """None."""
        return t.CredentialsResult(accounts=[])

    async def publish(self, subject: str, wait_s: float, report: Report) -> t.ClaimPublishResult:
        """As if."""
        report(1, 1, subject)
        return t.ClaimPublishResult(claim=CLAIM, done=True)

    async def remove(self, subject: str, report: Report) -> t.ClaimPublishResult:
        """As if."""
        report(1, 1, subject)
        return t.ClaimPublishResult(claim=CLAIM, done=True)

    async def list(self) -> t.ClaimsResult:
        """One."""
        return t.ClaimsResult(items=[CLAIM])


class MemoryGraph:
    """Asks nobody."""

    async def verify(self, what: str, *, fresh: bool, report: Report) -> t.GraphVerifyResult:
        """All is well."""
        return t.GraphVerifyResult(kind="claim", status="valid", reason="", primary=PRIMARY, claims=[CHECK])

    async def show(self, who: str, *, fresh: bool, report: Report) -> t.GraphProfile:
        """One claim."""
        return t.GraphProfile(
            primary=PRIMARY, current=PRIMARY, handle=None, chain_seq=0, chain_head=None, claims=[CHECK]
        )

    async def find(self, subject: str, server: str | None, *, report: Report) -> t.GraphFindResult:
        """One candidate."""
        return t.GraphFindResult(items=[t.Candidate(handle=None, primary=PRIMARY, check=CHECK)])

    async def follow(self, who: str, report: Report, *, dry_run: bool) -> t.Follow:
        """As if."""
        return FOLLOW

    async def unfollow(self, who: str, *, dry_run: bool) -> None:
        """As if."""

    async def follows(self) -> t.FollowsResult:
        """One."""
        return t.FollowsResult(items=[FOLLOW])
