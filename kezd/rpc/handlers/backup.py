"""`backup.*` and `export.*`."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session

UNIT = "%"


async def create(session: Session, params: t.BackupCreateParams) -> t.BackupResult:
    """Write a backup."""
    with session.progress(params.progress_token, UNIT) as progress:
        return await session.profile.backups.create(params, progress)


async def verify(session: Session, params: t.BackupVerifyParams) -> t.BackupResult:
    """Look through one."""
    with session.progress(params.progress_token, UNIT) as progress:
        return await session.profile.backups.verify(params, progress)


async def restore(session: Session, params: t.BackupRestoreParams) -> t.BackupRestoreResult:
    """Bring one back into an empty profile."""
    with session.progress(params.progress_token, UNIT) as progress:
        return await session.profile.backups.restore(params, progress)


async def export(session: Session, params: t.ExportCreateParams) -> t.ExportResult:
    """Write what a person may want to read without kezd."""
    with session.progress(params.progress_token, UNIT) as progress:
        return await session.profile.backups.export(params, progress)


HANDLERS: dict[str, Handler] = {
    "backup.create": create,
    "backup.verify": verify,
    "backup.restore": restore,
    "export.create": export,
}
