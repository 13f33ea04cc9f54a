"""What the handlers of `sigchain.*` need of the peer."""

from typing import Any, Protocol

from kezd.api import types as t


class SigchainCalls(Protocol):
    """What `sigchain.*` asks of an open profile."""

    async def show(self, who: str | None, limit: int) -> t.SigchainResult:
        """A chain in readable form."""
        ...

    async def export(self, params: t.SigchainExportParams) -> t.SigchainExportResult:
        """A chain as bytes."""
        ...

    async def take(self, params: t.SigchainImportParams) -> t.SigchainImportResult:
        """A chain that came another way."""
        ...

    async def append(self, op: str, members: dict[str, Any]) -> t.SigchainHead:
        """One event of our own."""
        ...

    async def add_nats(self, url: str) -> t.SigchainHead:
        """A NATS endpoint with our own inbox."""
        ...

    async def publish(self, params: t.SigchainPublishParams) -> t.SigchainCopyResult:
        """Put it somewhere, and read it back."""
        ...

    async def check(self, params: t.SigchainCheckParams) -> t.SigchainCopyResult:
        """Read a copy, and compare it."""
        ...

    async def dismiss(self) -> t.Done:
        """The alarm about our own chain was seen."""
        ...
