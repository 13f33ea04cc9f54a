"""`backup.*` and `export.*`."""

from kezd.api import types as t
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def create(session: Session, params: t.BackupCreateParams) -> t.BackupResult:
    """Write a backup."""
    return await session.profile.backups.create(params)


async def verify(session: Session, params: t.BackupVerifyParams) -> t.BackupResult:
    """Look through one."""
    return await session.profile.backups.verify(params)


async def restore(session: Session, params: t.BackupRestoreParams) -> t.BackupRestoreResult:
    """Bring one back into an empty profile."""
    return await session.profile.backups.restore(params)


async def export(session: Session, params: t.ExportCreateParams) -> t.ExportResult:
    """Write what a person may want to read without kezd."""
    return await session.profile.backups.export(params)


HANDLERS: dict[str, Handler] = {
    "backup.create": create,
    "backup.verify": verify,
    "backup.restore": restore,
    "export.create": export,
}
