"""Shapes of `backup`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict

from kezd.client.shapes.base import Descriptor


class BackupContents(TypedDict):
    """What a backup holds."""

    created_at: int
    kezd: str
    """Version that made it."""
    profile: str
    """Name of the profile that it was made of."""
    schema: int
    """Of its database; an older one is brought up to date when it is restored."""
    state: str
    """Of the identity, as in `identity.show`."""
    primary: str | None
    handle: str | None
    messages: int
    conversations: int
    contacts: int
    newest_message_at: int | None


class BackupCreateParams(TypedDict):
    """Where to (`path` or `file`), and what seals it."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    path: NotRequired[str | None]
    """Absolute; written beside it and renamed when it is whole. A peer that runs as a service may not write to the person's directories: send an open file then."""
    file: NotRequired[Descriptor | None]
    """An open file or pipe that comes along with the line."""
    passphrase: str
    """At least 10 characters; needed to restore, and nobody can help who has lost it."""
    replace: NotRequired[bool]
    """Overwrite a file of that name."""


class BackupRestoreParams(TypedDict):
    """What to restore into this connection's profile, which must be empty."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    path: NotRequired[str | None]
    """Absolute; or `file`."""
    file: NotRequired[Descriptor | None]
    """An open file or pipe that comes along with the line."""
    passphrase: str
    """Of the backup."""
    vault_passphrase: NotRequired[str | None]
    """For the new vault, on a machine without a keyring."""


class BackupRestoreResult(TypedDict):
    """The profile as it is now."""

    state: str
    """Of the identity: `superseded` until `identity.restore` without words makes this installation the live one."""
    contents: BackupContents


class BackupResult(TypedDict):
    """A backup that was made, or looked through."""

    path: str | None
    bytes: int
    contents: BackupContents


class BackupVerifyParams(TypedDict):
    """Which file (`path` or `file`) to look through."""

    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    path: NotRequired[str | None]
    """Absolute."""
    file: NotRequired[Descriptor | None]
    """An open file or pipe that comes along with the line."""
    passphrase: str


class ExportCreateParams(TypedDict):
    """Where to write a person's own data (`path` or `file`): a tar archive, readable and not encrypted."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    progress_token: NotRequired[str | int | None]
    """Wanted: `$/progress` notifications that carry this token."""
    path: NotRequired[str | None]
    """Absolute; nothing may be there. A peer that runs as a service may not write everywhere: see `file`."""
    file: NotRequired[Descriptor | None]
    """An open file or pipe that comes along with the line."""


class ExportResult(TypedDict):
    """What was written."""

    path: str | None
    files: int
    messages: int
    conversations: int
    contacts: int
