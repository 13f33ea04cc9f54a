"""Sigchains for people: our own and those of contacts, shown, exported, imported, written into by hand.

Not here: how our own chain gets to its server (`services.identity`) and how contacts' chains
are watched (`services.contacts`). Invariants: nothing unverified is shown or kept; a copy
that contradicts what is known is an alarm, and never replaces it.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, assert_never

import trio

from kezd.api import types as t
from kezd.errors import AccessError, RequestError, Slug, TrustError
from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey
from kezd.kez.sealed import VERSION
from kezd.kez.sender_tag import inbox_prefix
from kezd.kez.sigchain import (
    BUNDLE_PREFIX,
    MAX_CHAIN,
    Chain,
    Head,
    Members,
    add_nats_endpoint,
    decode_jsonl,
    encode_bundle,
    encode_jsonl,
)
from kezd.runtime.clock import Clock
from kezd.runtime.new_file import absolute, file_error, new_file
from kezd.services.ports import ChainKeeper, ChainMirrors, Credentials, MirrorSource, OwnSigchain
from kezd.services.sigchains.copies import read_copy, write_copy
from kezd.services.sigchains.shape import show_chain, show_head
from kezd.store.database import Database
from kezd.store.sigchains import load_jsonl

TEXT_BYTES = 512 * 1024
"""Of an export that comes as text."""
SIGNED = '"sigchain_event"'
"""Stands in each line of JSONL."""
SHOWN = 1_000
"""Events shown at most."""


class ContactsOf(ChainKeeper, Protocol):
    """The contacts service, as far as it is needed."""

    async def show(self, name: str) -> t.Contact:
        """One contact, by handle or primary. `RequestError(NOT_A_CONTACT)`."""
        ...


class Sigchains:
    """`sigchain.*` of an open profile."""

    def __init__(
        self,
        db: Database,
        own: OwnSigchain,
        contacts: ContactsOf,
        mirrors: ChainMirrors,
        credentials: Credentials,
        clock: Clock,
    ) -> None:
        self._db = db
        self._mirrors = mirrors
        self._credentials = credentials
        self._clock = clock
        self._own = own
        self._contacts = contacts

    async def show(self, who: str | None, limit: int) -> t.SigchainResult:
        """A chain in readable form.

        Raises:
            RequestError: `no_identity`, `not_a_contact`.
        """
        limit = max(1, min(limit, SHOWN))
        identity = await self._own.show()
        if who is None or await self._is_own(who):
            chain = self._own_chain()
            return show_chain(
                chain, handle=identity.handle, own=True, limit=limit, alarm=identity.chain_alarm
            )
        contact = await self._contacts.show(who)
        chain = await self._contact_chain(contact)
        alarm = None if contact.alarm is None else contact.alarm.detail
        return show_chain(chain, handle=contact.handle, own=False, limit=limit, alarm=alarm)

    async def export(self, params: t.SigchainExportParams) -> t.SigchainExportResult:
        """A chain as bytes that others can verify.

        Raises:
            RequestError: `no_identity`, `not_a_contact`, `invalid_argument`, `too_large`, `file_exists`.
            StoreError: the file could not be written.
        """
        chain = await self._chain(params.who)
        data = await trio.to_thread.run_sync(write_copy, chain, params.format, params.domain)
        result = t.SigchainExportResult(genesis=chain.genesis.primary, head=show_head(chain.head))
        if params.path is not None:
            path = absolute(params.path)
            await trio.to_thread.run_sync(write_file, path, data, False)
            return t.SigchainExportResult(genesis=result.genesis, head=result.head, path=str(path))
        if len(data) > TEXT_BYTES:
            raise RequestError(
                Slug.TOO_LARGE, f"this sigchain has {len(data)} bytes", hint="give a path to write it to"
            )
        return t.SigchainExportResult(genesis=result.genesis, head=result.head, text=data.decode())

    async def take(self, params: t.SigchainImportParams) -> t.SigchainImportResult:
        """A chain that came another way, compared with what is known; a longer one is kept.

        Raises:
            RequestError: `invalid_argument`, `not_a_contact` when it is nobody's whom we know.
            TrustError: `chain_invalid`; `chain_fork`, and then the alarm is raised.
            StoreError: the file could not be read.
        """
        offered = await trio.to_thread.run_sync(read_copy, await _text_of(params))
        own = self._own.chain is not None and self._own.chain.genesis == offered.genesis
        before = await self._known_events(offered.genesis)
        take: Callable[[Chain], Awaitable[t.CopyVerdict]] = (
            self._own.take_copy if own else self._contacts.take_copy
        )
        if params.dry_run:
            verdict: t.CopyVerdict = "newer" if len(offered.events) > before else "same"
        else:
            verdict = await take(offered)
        return t.SigchainImportResult(
            genesis=offered.genesis.primary,
            own=own,
            verdict=verdict,
            head=show_head(offered.head),
            known_before=before,
        )

    async def append(self, op: str, members: Members) -> t.SigchainHead:
        """One event of our own; see `ports.ChainWriter`."""
        return _head(await self._own.append(op, members))

    async def add_nats(self, url: str) -> t.SigchainHead:
        """Another NATS endpoint; mail for it goes to our own inbox. Raises as `append`."""
        inbox = inbox_prefix(self._own_chain().genesis)
        return await self.append("add_endpoint", add_nats_endpoint(url, inbox, [VERSION]))

    async def publish(self, params: t.SigchainPublishParams) -> t.SigchainCopyResult:
        """Put our chain somewhere, and read it back from there.

        Raises:
            RequestError: `no_identity`, `invalid_argument`, `not_found` when it is not there afterwards.
            AccessError: `credential_refused`.
            UnavailableError: `home_unreachable`, `service_unreachable` and their like.
            TrustError: `chain_fork`, `chain_rollback`, `chain_invalid`.
            StoreError: the file could not be written.
        """
        match params.to:
            case "server":
                chain = await self._own.republish()
                return t.SigchainCopyResult(where="server", verdict="same", head=show_head(chain.head))
            case "file":
                path = absolute(params.path or "")
                await trio.to_thread.run_sync(_write_public, path, encode_jsonl(self._own_chain()))
                text = await trio.to_thread.run_sync(_read_file, path)
                return await self._compared(str(path), await trio.to_thread.run_sync(read_copy, text))
            case "nostr":
                return await self._publish_nostr(params.account or "")
            case _:
                assert_never(params.to)

    async def _publish_nostr(self, account: str) -> t.SigchainCopyResult:
        secret = self._credentials.get(account if account.startswith("nostr:") else f"nostr:{account}")
        if secret is None:
            raise AccessError(
                Slug.CREDENTIAL_REFUSED,
                "there is no credential of that npub",
                hint="claims.authorize keeps one",
            )
        bundle = await trio.to_thread.run_sync(encode_bundle, self._own_chain())
        npub, where = await self._mirrors.publish_nostr(bundle, secret, int(self._clock.now()))
        return await self._compared(where, await self._fetched("nostr", npub, self._own_chain().genesis))

    async def check(self, params: t.SigchainCheckParams) -> t.SigchainCopyResult:
        """Read a copy of a chain from somewhere, and compare it with what is known.

        Raises:
            RequestError: `not_found` when there is none; `not_a_contact`, `no_identity`, `invalid_argument`.
            UnavailableError: `service_unreachable`, `rate_limited`.
            TrustError: `chain_invalid`; `chain_fork`, and then the alarm is raised.
        """
        known = await self._chain(params.who)
        offered = await self._fetched(params.source, params.at, known.genesis)
        return await self._compared(f"{params.source}:{params.at}", offered)

    async def _fetched(self, source: MirrorSource, at: str, genesis: PublicKey) -> Chain:
        """The longest chain of that identity that is there and verifies."""
        found: list[Chain] = []
        broken: TrustError | None = None
        for text in await self._mirrors.fetch(source, at):
            if BUNDLE_PREFIX not in text and SIGNED not in text:
                continue
            try:
                found.append(await trio.to_thread.run_sync(read_copy, text))
            except TrustError as error:
                broken = error
        chains = [chain for chain in found if chain.genesis == genesis]
        if chains:
            return max(chains, key=lambda chain: len(chain.events))
        if broken is not None:
            raise broken
        raise RequestError(Slug.NOT_FOUND, f"no sigchain of {genesis.primary} is at {source}:{at}")

    async def _compared(self, where: str, offered: Chain) -> t.SigchainCopyResult:
        own = self._own.chain is not None and self._own.chain.genesis == offered.genesis
        verdict = await (self._own.take_copy(offered) if own else self._contacts.take_copy(offered))
        return t.SigchainCopyResult(where=where, verdict=verdict, head=show_head(offered.head))

    async def dismiss(self) -> t.Done:
        """The person has looked at the alarm about our own chain."""
        await self._own.dismiss_alarm()
        return t.Done()

    async def _is_own(self, who: str) -> bool:
        shown = await self._own.show()
        name = who.strip().removeprefix("@")
        return name in (shown.primary, shown.key, shown.handle, (shown.handle or "@").partition("@")[0])

    def _own_chain(self) -> Chain:
        if self._own.chain is None:
            raise RequestError(Slug.NO_IDENTITY)
        return self._own.chain

    async def _chain(self, who: str | None) -> Chain:
        if who is None or await self._is_own(who):
            return self._own_chain()
        return await self._contact_chain(await self._contacts.show(who))

    async def _contact_chain(self, contact: t.Contact) -> Chain:
        genesis = parse_primary(contact.genesis)
        return await trio.to_thread.run_sync(decode_jsonl, await self._stored(genesis), genesis)

    async def _stored(self, genesis: PublicKey) -> bytes:
        return await self._db.read(lambda tx: load_jsonl(tx, genesis))

    async def _known_events(self, genesis: PublicKey) -> int:
        return (await self._stored(genesis)).count(b"\n")


def write_file(path: Path, data: bytes, replace: bool) -> None:
    """Write a whole file or none. Raises as `new_file`."""
    with new_file(path, replace=replace) as file:
        file.write(data)


def _write_public(path: Path, data: bytes) -> None:
    write_file(path, data, True)
    try:
        path.chmod(0o644)  # for the web server, which is somebody else
    except OSError as error:
        raise file_error(error, f"cannot make {path} readable") from error


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CHAIN + 1)
    except OSError as error:
        raise file_error(error, f"cannot read {path}") from error
    if len(data) > MAX_CHAIN:
        raise RequestError(Slug.TOO_LARGE, f"a sigchain has at most {MAX_CHAIN} bytes")
    return data.decode(errors="replace")


async def _text_of(params: t.SigchainImportParams) -> str:
    if (params.text is None) == (params.path is None):
        raise RequestError(Slug.INVALID_ARGUMENT, "give either `text` or `path`", detail={"field": "text"})
    if params.path is None:
        assert params.text is not None, "one of them is given"
        return params.text
    return await trio.to_thread.run_sync(_read_file, absolute(params.path))


def _head(head: Head) -> t.SigchainHead:
    return t.SigchainHead(seq=head.seq, hash=head.hash)
