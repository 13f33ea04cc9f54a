"""Sigchain calls that answer something of the right shape."""

from typing import Any

from kezd.api import types as t

PRIMARY = "ed25519:" + "11" * 32
HEAD = t.SigchainHead(seq=3, hash="22" * 32)


class MemorySigchains:
    """One chain of three events, whatever is asked."""

    def __init__(self) -> None:
        self.appended: list[str] = []

    async def show(self, who: str | None, limit: int) -> t.SigchainResult:
        """The head and no events."""
        return t.SigchainResult(
            genesis=PRIMARY,
            key=PRIMARY,
            handle=None,
            own=who is None,
            head=HEAD,
            events=[],
            earlier=3,
            devices=[],
            endpoints=[],
            subjects=[],
            revoked=[],
            former_keys=[],
        )

    async def export(self, params: t.SigchainExportParams) -> t.SigchainExportResult:
        """A short text."""
        return t.SigchainExportResult(genesis=PRIMARY, head=HEAD, text=params.format)

    async def take(self, params: t.SigchainImportParams) -> t.SigchainImportResult:
        """Nothing new."""
        return t.SigchainImportResult(
            genesis=PRIMARY, own=True, verdict="same", head=HEAD, known_before=HEAD.seq
        )

    async def append(self, op: str, members: dict[str, Any]) -> t.SigchainHead:
        """Remembered."""
        self.appended.append(op)
        return HEAD

    async def add_nats(self, url: str) -> t.SigchainHead:
        """Remembered."""
        return await self.append("add_endpoint", {"url": url})

    async def publish(self, params: t.SigchainPublishParams) -> t.SigchainCopyResult:
        """There."""
        return t.SigchainCopyResult(where=params.to, verdict="same", head=HEAD)

    async def check(self, params: t.SigchainCheckParams) -> t.SigchainCopyResult:
        """There."""
        return t.SigchainCopyResult(where=params.at, verdict="same", head=HEAD)

    async def dismiss(self) -> t.Done:
        """Seen."""
        return t.Done()
