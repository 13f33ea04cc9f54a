"""Rows of `backup.*` and `export.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope
from kezd.errors import Slug

_FILE = (Slug.FILE_FAILED, Slug.DISK_FULL)

METHODS = (
    Method(
        "backup.create",
        t.BackupCreateParams,
        t.BackupResult,
        Scope.FULL,
        "Write the profile, keys and all, to a file sealed with a passphrase.",
        (Slug.NO_IDENTITY, Slug.LOCKED, Slug.FILE_EXISTS, *_FILE),
        confirm=True,
    ),
    Method(
        "backup.verify",
        t.BackupVerifyParams,
        t.BackupResult,
        Scope.FULL,
        "Look through a backup to its last byte, and say what is in it.",
        (Slug.WRONG_PASSPHRASE, Slug.BACKUP_DAMAGED, Slug.SCHEMA_TOO_NEW, *_FILE),
    ),
    Method(
        "backup.restore",
        t.BackupRestoreParams,
        t.BackupRestoreResult,
        Scope.FULL,
        "Bring a backup into an empty profile, as another installation that is not live yet.",
        (
            Slug.IDENTITY_EXISTS,
            Slug.WRONG_PASSPHRASE,
            Slug.PASSPHRASE_NEEDED,
            Slug.BACKUP_DAMAGED,
            Slug.SCHEMA_TOO_NEW,
            *_FILE,
        ),
        dry_run=True,
        stoppable=False,
    ),
    Method(
        "export.create",
        t.ExportCreateParams,
        t.ExportResult,
        Scope.FULL,
        "Write conversations, contacts, identity and sigchain to files that need no kezd. Not encrypted.",
        (Slug.NO_IDENTITY, Slug.LOCKED, Slug.FILE_EXISTS, *_FILE),
    ),
)
