"""What `claims.*` and `graph.*` need of a profile; see `kezd.rpc.ports`."""

from typing import Protocol

from kezd.api import types as t


class Report(Protocol):
    """Tells how far a long call is."""

    def __call__(self, done: int, total: int | None, text: str, /) -> None:
        """As `Progress.report`."""
        ...


class ClaimsCalls(Protocol):
    """What `claims.*` asks of an open profile."""

    async def create(self, subject: str, expires_in_s: int | None, *, dry_run: bool) -> t.ClaimCreateResult:
        """Sign a claim."""
        ...

    async def authorize(self, system: str, account: str, secret: str, *, dry_run: bool) -> None:
        """Keep a credential."""
        ...

    async def forget(self, system: str, account: str, *, dry_run: bool) -> None:
        """Forget one. `RequestError(NOT_FOUND)`."""
        ...

    def credentials(self) -> t.CredentialsResult:
        """Their names."""
        ...

    async def publish(self, subject: str, wait_s: float, report: Report) -> t.ClaimPublishResult:
        """Publish, wait, add to the sigchain."""
        ...

    async def remove(self, subject: str, report: Report) -> t.ClaimPublishResult:
        """Unpublish and revoke."""
        ...

    async def list(self) -> t.ClaimsResult:
        """All of them."""
        ...


class GraphCalls(Protocol):
    """What `graph.*` asks of an open profile."""

    async def verify(self, what: str, *, fresh: bool, report: Report) -> t.GraphVerifyResult:
        """Check whatever it is."""
        ...

    async def show(self, who: str, *, fresh: bool, report: Report) -> t.GraphProfile:
        """Somebody's profile."""
        ...

    async def find(self, subject: str, server: str | None, *, report: Report) -> t.GraphFindResult:
        """Who a subject is."""
        ...

    async def follow(self, who: str, report: Report, *, dry_run: bool) -> t.Follow:
        """Keep a snapshot."""
        ...

    async def unfollow(self, who: str, *, dry_run: bool) -> None:
        """Follow no more. `RequestError(NOT_FOUND)`."""
        ...

    async def follows(self) -> t.FollowsResult:
        """Everybody."""
        ...
