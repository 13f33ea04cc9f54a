"""`backup.*` and `export.*`."""

from contextlib import AbstractContextManager, nullcontext

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session
from kezd.runtime.passed_file import PassedFile

UNIT = "%"


def _passed(session: Session, file: t.Descriptor | None) -> AbstractContextManager[PassedFile | None]:
    """The open file that came along, for the length of the block."""
    return nullcontext() if file is None else PassedFile(session.take_descriptor(file.fd))


async def create(session: Session, params: t.BackupCreateParams) -> t.BackupResult:
    """Write a backup."""
    with session.progress(params.progress_token, UNIT) as progress, _passed(session, params.file) as file:
        return await session.profile.backups.create(params, file, progress)


async def verify(session: Session, params: t.BackupVerifyParams) -> t.BackupResult:
    """Look through one."""
    with session.progress(params.progress_token, UNIT) as progress, _passed(session, params.file) as file:
        return await session.profile.backups.verify(params, file, progress)


async def restore(session: Session, params: t.BackupRestoreParams) -> t.BackupRestoreResult:
    """Bring one back into an empty profile."""
    with session.progress(params.progress_token, UNIT) as progress, _passed(session, params.file) as file:
        return await session.profile.backups.restore(params, file, progress)


async def export(session: Session, params: t.ExportCreateParams) -> t.ExportResult:
    """Write what a person may want to read without kezd."""
    with session.progress(params.progress_token, UNIT) as progress, _passed(session, params.file) as file:
        return await session.profile.backups.export(params, file, progress)


HANDLERS: dict[str, Handler] = {
    "backup.create": create,
    "backup.verify": verify,
    "backup.restore": restore,
    "export.create": export,
}
