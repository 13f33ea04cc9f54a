"""Tokens: what a program shows to get more, or less, than an ordinary connection has.

Not the check of a call: the dispatcher asks `Grant.over` and the scope. Invariants: a secret is
shown once and kept as a hash; what has expired or was revoked gives nothing from that moment
on, also to connections that already have it; a full token is for every profile, as it could
make others.
"""

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec
import trio

from kezd.api import types as t
from kezd.api.methods.row import Scope
from kezd.errors import AccessError, RequestError, Slug, StoreError
from kezd.runtime.clock import Clock
from kezd.services.access.token_file import (
    TokenRecord,
    full_secret,
    is_name,
    new_secret,
    read_tokens,
    write_tokens,
)

log = logging.getLogger(__name__)

TOKENS_FILE = "tokens.json"
FULL_FILE = "full.token"
MOST = 256
"""Tokens at once."""
KEEP_USE_EVERY = 60.0
"""Seconds after which a new `last_used_at` is written to the file."""
LOOK_AGAIN = 60.0
"""Seconds between two looks at the wall clock, which may jump, for a token that expires."""
CLOSE_GRACE = 2.0
MILLISECONDS = 1000
_MAKE_ONE = "the person makes tokens: kez token create NAME --scope chat"


class Grant:
    """What the holders of one token have, as long as it lasts."""

    __slots__ = ("_clock", "_revoked", "expires_at", "last_used_at", "name", "profiles", "scope")

    def __init__(self, record: TokenRecord, clock: Clock) -> None:
        self.name = record.name
        self.scope = Scope(record.scope)
        self.profiles = None if record.profiles is None else frozenset(record.profiles)
        self.expires_at = record.expires_at
        self.last_used_at = record.last_used_at
        self._clock = clock
        self._revoked = trio.Event()

    @property
    def over(self) -> bool:
        """Whether it was revoked or has expired; cheap, asked at each call."""
        return self._revoked.is_set() or (
            self.expires_at is not None and self._clock.now() >= self.expires_at
        )

    @property
    def revoked(self) -> bool:
        """Whether somebody took it back."""
        return self._revoked.is_set()

    def revoke(self) -> None:
        """Over, from now on."""
        self._revoked.set()

    async def wait_over(self) -> None:
        """Wait until it is over."""
        if self.expires_at is None:
            await self._revoked.wait()
            return
        while not self.over:
            left = self.expires_at - self._clock.now()
            with trio.move_on_after(max(0.0, min(left, LOOK_AGAIN))):
                await self._revoked.wait()


class Tokens:
    """All tokens of the daemon. `open` is the only way to one."""

    def __init__(self, directory: Path, clock: Clock, secret: str, records: list[TokenRecord]) -> None:
        self._path = directory / TOKENS_FILE
        self._clock = clock
        self._records = {record.name: record for record in records}
        self._grants = {record.name: Grant(record, clock) for record in records}
        self._full_hash = _hash(secret)
        self._full = Grant(
            TokenRecord(name=FULL_FILE, hash=self._full_hash, scope="full", created_at=0), clock
        )
        self._changing = trio.Lock()
        self._used = trio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, directory: Path, clock: Clock) -> AsyncIterator[Self]:
        """The tokens in a private directory, for the length of the block.

        Args:
            directory: 0700, ours.
            clock: for expiry.

        Raises:
            StoreError: a file is damaged or open to others; nobody gets access by it.
        """
        secret = await trio.to_thread.run_sync(full_secret, directory / FULL_FILE)
        self = cls(
            directory, clock, secret, await trio.to_thread.run_sync(read_tokens, directory / TOKENS_FILE)
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_uses)
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()
                with trio.move_on_after(CLOSE_GRACE, shield=True):
                    await self._keep()

    def grant(self, secret: str, profile: str) -> Grant:
        """What a secret gives on a profile.

        Raises:
            AccessError: `forbidden` when nobody has such a token, it has expired, or it is for others.
        """
        grant = self._find(secret)
        if grant is None:
            raise AccessError(Slug.FORBIDDEN, "there is no such token", hint=_MAKE_ONE)
        check(grant)
        if grant.profiles is not None and profile not in grant.profiles:
            raise AccessError(
                Slug.FORBIDDEN,
                "this token is for other profiles",
                hint="kez token list shows which; --profile NAME chooses one",
            )
        if grant is not self._full:
            grant.last_used_at = int(self._clock.now())
            self._used.set()
        return grant

    def list(self, limit: int, cursor: str | None) -> t.TokensResult:
        """A page, by name. `cursor` is the last name of the page before."""
        names = sorted(name for name in self._records if cursor is None or name > cursor)
        page = names[:limit]
        return t.TokensResult(
            items=[self._item(name) for name in page],
            next_cursor=page[-1] if len(names) > limit else None,
        )

    async def create(
        self, name: str, scope: Scope, expires_in_s: int | None, profiles: Sequence[str] | None
    ) -> t.TokenCreateResult:
        """Make a token; its secret is in the answer and nowhere else.

        Raises:
            RequestError: `invalid_argument`, also when there is one of that name.
            StoreError: it could not be kept; there is no such token then.
        """
        async with self._changing:
            self._refuse(name, scope, profiles)
            secret, now = new_secret(), int(self._clock.now())
            record = TokenRecord(
                name=name,
                hash=_hash(secret),
                scope=scope.value,
                created_at=now,
                expires_at=None if expires_in_s is None else now + expires_in_s,
                profiles=None if profiles is None else [*profiles],
            )
            await self._write({**self._current(), name: record})
            self._records[name] = record
            self._grants[name] = Grant(record, self._clock)
            return t.TokenCreateResult(token=secret, item=self._item(name))

    async def revoke(self, name: str) -> None:
        """End a token, and every connection that has it.

        Raises:
            RequestError: `not_found`.
            StoreError: the file could not be written; it is over all the same until the next start.
        """
        async with self._changing:
            grant = self._grants.get(name)
            if grant is None:
                raise RequestError(Slug.NOT_FOUND, "there is no token of that name", hint="kez token list")
            grant.revoke()
            rest = self._current()
            del rest[name]
            await self._write(rest)
            del self._records[name], self._grants[name]

    async def forget_profile(self, profile: str) -> None:
        """No token is for that profile any more, so that none of it opens a later one of the same name.

        Tokens that were for it alone end, and every connection that has them.

        Raises:
            StoreError: the file could not be written; it holds in memory all the same.
        """
        async with self._changing:
            limited = {
                n: r.profiles for n, r in self._records.items() if r.profiles and profile in r.profiles
            }
            for name, profiles in limited.items():
                rest = [other for other in profiles if other != profile]
                if rest:
                    self._grants[name].profiles = frozenset(rest)
                    self._records[name] = msgspec.structs.replace(self._records[name], profiles=rest)
                else:
                    self._grants.pop(name).revoke()
                    del self._records[name]
            if limited:
                await self._write(self._current())

    def _find(self, secret: str) -> Grant | None:
        """Every hash is compared, each in constant time, so that nothing is learnt from how long it takes."""
        wanted = _hash(secret)
        found = self._full if hmac.compare_digest(wanted, self._full_hash) else None
        for name, record in self._records.items():
            if hmac.compare_digest(wanted, record.hash):
                found = self._grants[name]
        return found

    def _refuse(self, name: str, scope: Scope, profiles: Sequence[str] | None) -> None:
        if not is_name(name):
            raise _wrong("name", "1 to 64 printable characters, none of them a space at an end")
        if name in self._records or name == FULL_FILE:
            raise _wrong("name", "there is a token of that name", "kez token list; kez token revoke NAME")
        if scope is Scope.FULL and profiles is not None:
            raise _wrong("profiles", "a full token is for every profile: it could make others")
        if profiles is not None and not profiles:
            raise _wrong("profiles", "at least one")
        if len(self._records) >= MOST:
            raise _wrong("name", f"there are {MOST} tokens already", "kez token revoke NAME")

    def _current(self) -> dict[str, TokenRecord]:
        """The records with the uses that the file does not have yet."""
        return {
            name: msgspec.structs.replace(record, last_used_at=self._grants[name].last_used_at)
            for name, record in self._records.items()
        }

    async def _write(self, records: dict[str, TokenRecord]) -> None:
        kept = list(records.values())
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(write_tokens, self._path, kept)

    async def _keep_uses(self) -> None:
        while True:
            await self._used.wait()
            await trio.sleep(KEEP_USE_EVERY)
            await self._keep()

    async def _keep(self) -> None:
        async with self._changing:
            if self._used.is_set():
                self._used = trio.Event()
                try:
                    await self._write(self._current())
                except StoreError as error:
                    log.warning("when tokens were used is not kept", extra={"cause": error.message})

    def _item(self, name: str) -> t.TokenItem:
        record, grant = self._records[name], self._grants[name]
        return t.TokenItem(
            name=name,
            scope=record.scope,
            profiles=record.profiles,
            created_at=record.created_at * MILLISECONDS,
            expires_at=_ms(record.expires_at),
            last_used_at=_ms(grant.last_used_at),
            expired=grant.over,
        )


def check(grant: Grant) -> None:
    """Refuse what is over.

    Raises:
        AccessError: `forbidden`.
    """
    if grant.over:
        why = "was revoked" if grant.revoked else "has expired"
        raise AccessError(Slug.FORBIDDEN, f"this token {why}", hint=_MAKE_ONE)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * MILLISECONDS


def _wrong(field: str, why: str, hint: str = "") -> RequestError:
    return RequestError(Slug.INVALID_ARGUMENT, f"`{field}`: {why}", hint=hint, detail={"field": field})
