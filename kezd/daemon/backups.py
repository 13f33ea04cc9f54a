"""Backups and exports of one profile: what the services do, bound to its vault and its directory.

Part of the composition root: here the vault's record goes into a backup and comes out of
one. Invariants: a restore changes nothing until the whole backup was read and looked
through; a profile is empty or restored, nothing between, whenever the process dies.
"""

from pathlib import Path
from typing import Final, Protocol

import msgspec

from kezd.api import types as t
from kezd.daemon.open_profile import OpenProfile
from kezd.errors import RequestError, Slug, StoreError
from kezd.rpc.ports import ProfileState, Progress
from kezd.runtime.clock import Clock
from kezd.runtime.new_file import absolute
from kezd.runtime.passed_file import PassedFile
from kezd.runtime.paths import Paths, ensure_private_directory
from kezd.services.backup.backups import (
    Report,
    Subject,
    create_backup,
    examine,
    make_new_installation,
    unpacked_backup,
)
from kezd.services.backup.export import create_export
from kezd.store.backup.archive import Manifest
from kezd.store.vault import VaultRecord
from kezd.store.vault.record import decode_record, encode_record

SCRATCH: Final = "tmp"
"""Directory of unfinished work below the data; emptied at each start."""
MILLISECONDS: Final = 1000


class Backed(Protocol):
    """What is needed of the profile."""

    @property
    def name(self) -> str:
        """Of the profile."""
        ...

    @property
    def state(self) -> ProfileState:
        """Where it stands."""
        ...

    @property
    def opened(self) -> OpenProfile:
        """The open profile; raises what a caller may be told."""
        ...

    async def adopt(self, directory: Path, record: VaultRecord, passphrase: str | None) -> None:
        """Become the profile whose database is in `directory`."""
        ...


class ProfileBackups:
    """Answers `backup.*` and `export.*` for one profile."""

    def __init__(self, profile: Backed, paths: Paths, clock: Clock, version: str) -> None:
        self._profile = profile
        self._paths = paths
        self._clock = clock
        self._version = version

    async def create(
        self, params: t.BackupCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """Write a backup of the state of now.

        Raises:
            RequestError: `file_exists`, `invalid_argument`, `no_identity`.
            AccessError: `locked`.
            StoreError: `disk_full`, `file_failed`.
        """
        opened = self._profile.opened
        record = opened.identity.record
        subject = Subject(
            profile=self._profile.name,
            database=self._paths.profile(self._profile.name).database,
            key=record.db_key,
            record=encode_record(record),
            version=self._version,
            now=self._clock.now(),
        )
        manifest, size = await create_backup(
            subject,
            params.passphrase,
            _one(params.path, file),
            self._scratch(),
            _reporting(progress),
            replace=params.replace,
        )
        return t.BackupResult(path=params.path, bytes=size, contents=_contents(manifest))

    async def verify(
        self, params: t.BackupVerifyParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupResult:
        """Look through a backup to its last byte.

        Raises:
            AccessError: `wrong_passphrase`.
            StoreError: `backup_damaged`, `schema_too_new`, `file_failed`.
        """
        source = _one(params.path, file)
        reading = unpacked_backup(source, params.passphrase, self._scratch(), _reporting(progress))
        async with reading as unpacked:
            record = _record(unpacked.record)
            found = await examine(unpacked, record.db_key)
            if found != unpacked.manifest.contents:
                raise StoreError(Slug.BACKUP_DAMAGED, "the database in it is not what the backup says it is")
            return t.BackupResult(
                path=params.path, bytes=unpacked.size, contents=_contents(unpacked.manifest)
            )

    async def restore(
        self, params: t.BackupRestoreParams, file: PassedFile | None, progress: Progress
    ) -> t.BackupRestoreResult:
        """Bring a backup into this profile, which is empty.

        Raises:
            RequestError: `identity_exists`.
            AccessError: `wrong_passphrase`, and what `Vault.create` raises.
            StoreError: `backup_damaged`, `schema_too_new`, `file_failed`, `disk_full`.
        """
        self._refuse_unless_empty()
        source = _one(params.path, file)
        reading = unpacked_backup(source, params.passphrase, self._scratch(), _reporting(progress))
        async with reading as unpacked:
            record = _record(unpacked.record)
            await examine(unpacked, record.db_key)
            if not params.dry_run:
                await make_new_installation(unpacked, record.db_key, self._clock.now())
                self._refuse_unless_empty()
                await self._profile.adopt(unpacked.directory, record, params.vault_passphrase)
            contents = _contents(unpacked.manifest)
        if params.dry_run:
            return t.BackupRestoreResult(state="none", contents=contents)
        shown = await self._profile.opened.identity.show()
        return t.BackupRestoreResult(state=shown.state, contents=contents)

    async def export(
        self, params: t.ExportCreateParams, file: PassedFile | None, progress: Progress
    ) -> t.ExportResult:
        """Write what a person may want to read without kezd.

        Raises:
            RequestError: `file_exists`, `no_identity`.
            AccessError: `locked`.
            StoreError: `disk_full`, `file_failed`.
        """
        opened = self._profile.opened
        written = await create_export(
            opened.db,
            opened.contacts,
            opened.chat,
            await opened.identity.show(),
            _one(params.path, file),
            self._clock.now(),
            _reporting(progress),
        )
        return t.ExportResult(path=params.path, **msgspec.structs.asdict(written))

    def _refuse_unless_empty(self) -> None:
        if self._profile.state is not ProfileState.EMPTY:
            raise RequestError(
                Slug.IDENTITY_EXISTS,
                f"the profile {self._profile.name} is not empty",
                hint="kez profile create NAME, then: kez --profile NAME backup restore FILE",
            )

    def _scratch(self) -> Path:
        directory = self._paths.data / SCRATCH
        ensure_private_directory(directory)
        return directory


def _record(data: bytes) -> VaultRecord:
    try:
        return decode_record(data)
    except ValueError as error:
        raise StoreError(Slug.BACKUP_DAMAGED, "the keys in it are damaged") from error


def _one(path: str | None, file: PassedFile | None) -> Path | PassedFile:
    """The one way that was given.

    Raises:
        RequestError: `invalid_argument`, none or both were.
    """
    if path is not None and file is None:
        return absolute(path)
    if path is None and file is not None:
        return file
    raise RequestError(Slug.INVALID_ARGUMENT, "give `path` or `file`, one of them", detail={"field": "path"})


def _reporting(progress: Progress) -> Report:
    return lambda done, total, text: progress.report(done, total, text)


def _contents(manifest: Manifest) -> t.BackupContents:
    found = manifest.contents
    newest = found.newest_message_at
    return t.BackupContents(
        created_at=int(manifest.created_at * MILLISECONDS),
        kezd=manifest.kezd,
        profile=manifest.profile,
        schema=found.schema,
        state=found.state,
        primary=found.primary,
        handle=found.handle,
        messages=found.messages,
        conversations=found.conversations,
        contacts=found.contacts,
        newest_message_at=None if newest is None else int(newest * MILLISECONDS),
    )
