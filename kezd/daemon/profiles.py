"""The profiles of one daemon, side by side: opened at once, made and removed while it runs.

Which ones there are: those of the configuration and those made here, without those removed
here, which `profiles.json` in the data directory remembers. Not here: what a profile does.
Invariants: there is always at least one; what one of them waits for keeps no other waiting;
a removed one is stopped before anything of it is deleted, and gone at once by one rename.
"""

import logging
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

import msgspec
import trio

from kezd.api import types as t
from kezd.daemon.backups import SCRATCH
from kezd.daemon.profile import Profile
from kezd.errors import RequestError, Slug
from kezd.rpc.ports import ProfileState
from kezd.runtime.new_file import file_error, new_file, sync_directory
from kezd.runtime.paths import Paths, ensure_private_directory

log = logging.getLogger(__name__)

FILE_NAME: Final = "profiles.json"
DEFAULT: Final = "default"

Opening = Callable[[str], AbstractAsyncContextManager[Profile]]


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """What was made and removed beside the configuration."""

    added: list[str] = []
    removed: list[str] = []


class _Running:
    """One profile's task."""

    def __init__(self) -> None:
        self.closing = trio.Event()
        self.ended = trio.Event()


class Profiles:
    """See the module; `open` is the only way to one."""

    def __init__(self, paths: Paths, opening: Opening) -> None:
        self.by_name: dict[str, Profile] = {}
        self._paths = paths
        self._opening = opening
        self._running: dict[str, _Running] = {}
        self._changes = Changes()
        self._one_at_a_time = trio.Lock()
        self._nursery: trio.Nursery

    @classmethod
    @asynccontextmanager
    async def open(
        cls, configured: Sequence[str], paths: Paths, opening: Opening
    ) -> AsyncIterator["Profiles"]:
        """All profiles for the length of the block; they are opened at the same time.

        Args:
            configured: names of the configuration.
            paths: of the peer.
            opening: the profile of a name, for the length of a block.

        Raises:
            RequestError: `bad_config`, a name or the file is none.
        """
        self = cls(paths, opening)
        self._changes = await trio.to_thread.run_sync(_load, paths.data)
        kept = [name for name in configured if name not in self._changes.removed]
        names = dict.fromkeys([*kept, *self._changes.added]) or {DEFAULT: None}
        for name in names:
            paths.profile(name)
        async with trio.open_nursery() as self._nursery:
            try:
                async with trio.open_nursery() as beginning:
                    for name in names:
                        beginning.start_soon(self._begin, name)
                yield self
            finally:
                for running in self._running.values():
                    running.closing.set()

    def get(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            RequestError: `unknown_profile`, with the names there are.
        """
        profile = self.by_name.get(name)
        if profile is None:
            known = sorted(self.by_name)
            raise RequestError(
                Slug.UNKNOWN_PROFILE,
                hint=f"known: {', '.join(known)}; kez profile create makes more",
                detail={"known": known},
            )
        return profile

    async def list(self) -> t.ProfilesResult:
        """All of them, by name."""
        return t.ProfilesResult(items=[await self.by_name[name].describe() for name in sorted(self.by_name)])

    async def create(self, name: str, *, again: bool = False, dry_run: bool = False) -> t.ProfileItem:
        """A new one, which is opened before this returns and again at each start.

        Args:
            name: which nobody has.
            again: this may repeat a call whose daemon was killed before it answered: an empty one of
                that name is the answer.
            dry_run: see that it could be done.

        Raises:
            RequestError: `profile_exists`, `invalid_argument`.
            StoreError: it could not be noted; nothing was made.
        """
        try:
            self._paths.profile(name)
        except RequestError as error:
            raise RequestError(Slug.INVALID_ARGUMENT, error.message, detail={"field": "name"}) from error
        async with self._one_at_a_time:
            known = self.by_name.get(name)
            if again and known is not None and known.state is ProfileState.EMPTY:
                return await known.describe()
            if known is not None:
                raise RequestError(Slug.PROFILE_EXISTS)
            if dry_run:
                return t.ProfileItem(name=name, state=ProfileState.EMPTY.value)
            await self._note(
                added=[*self._changes.added, name],
                removed=[other for other in self._changes.removed if other != name],
            )
            await self._begin(name)
        log.info("profile made", extra={"profile": name})
        return await self.by_name[name].describe()

    async def remove(self, name: str, *, force: bool, again: bool = False, dry_run: bool = False) -> None:
        """Stop one, delete all of it, and forget it.

        Args:
            name: which.
            force: also one whose identity is live here or cannot be looked at, and the last one,
                in whose place an empty one comes.
            again: this may repeat a call whose daemon was killed before it answered: one that was
                removed is the answer.
            dry_run: see that it could be done.

        Raises:
            RequestError: `unknown_profile`, `profile_in_use`.
            StoreError: it could not be moved away; it is there again, and whole, at the next start.
        """
        async with self._one_at_a_time:
            if again and name in self._changes.removed and name not in self.by_name:
                return
            profile = self.get(name)
            if not force:
                await self._refuse_in_use(profile)
            if dry_run:
                return
            running = self._running[name]
            del self.by_name[name]  # no call and no watchdog meets it any more
            running.closing.set()
            await running.ended.wait()
            await trio.to_thread.run_sync(_move_away, self._paths, name)
            await self._note(
                added=[other for other in self._changes.added if other != name],
                removed=[*(other for other in self._changes.removed if other != name), name],
            )
            if not self.by_name:
                await self._begin(DEFAULT)
        log.info("profile removed", extra={"profile": name})

    async def _refuse_in_use(self, profile: Profile) -> None:
        if len(self.by_name) == 1:
            raise RequestError(Slug.PROFILE_IN_USE, "this is the only profile")
        if profile.state is ProfileState.LOCKED:
            raise RequestError(Slug.PROFILE_IN_USE, "this profile is locked: nobody can look what is in it")
        if profile.state is ProfileState.OPEN and (await profile.identity.show()).state == "active":
            raise RequestError(
                Slug.PROFILE_IN_USE,
                "the identity of this profile is live here",
                hint="kez backup create FILE keeps it; then: kez profile remove --force NAME",
            )

    async def _begin(self, name: str) -> None:
        await self._nursery.start(self._run, name)

    async def _run(self, name: str, *, task_status: trio.TaskStatus[None]) -> None:
        running = self._running[name] = _Running()
        try:
            async with self._opening(name) as profile:
                self.by_name[name] = profile
                task_status.started()
                await running.closing.wait()
        finally:
            running.ended.set()

    async def _note(self, added: Sequence[str], removed: Sequence[str]) -> None:
        changes = Changes(list(added), list(removed))
        await trio.to_thread.run_sync(_save, self._paths.data, changes)
        self._changes = changes


def clear_scratch(paths: Paths) -> None:
    """Delete what an earlier life left unfinished, or could not finish deleting."""
    shutil.rmtree(paths.data / SCRATCH, ignore_errors=True)


def _load(data: Path) -> Changes:
    path = data / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Changes)
    except FileNotFoundError:
        return Changes()
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RequestError(
            Slug.BAD_CONFIG, f"{path} cannot be read: {error}", hint="put it right, or delete it"
        ) from error


def _save(data: Path, changes: Changes) -> None:
    with new_file(data / FILE_NAME, replace=True) as file:
        file.write(msgspec.json.encode(changes) + b"\n")


def _move_away(paths: Paths, name: str) -> None:
    """Take a profile out of its place by one rename; deleting it may then be cut off at any point."""
    directory, scratch = paths.profile(name).directory, paths.data / SCRATCH
    try:
        if not directory.exists():
            return
        ensure_private_directory(scratch)
        trash = scratch / f"removed-{name}-{token_hex(4)}"
        directory.rename(trash)
        sync_directory(directory.parent)
        shutil.rmtree(trash)
    except OSError as error:
        raise file_error(error, f"cannot delete {directory}") from error
