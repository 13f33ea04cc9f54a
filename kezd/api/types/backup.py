"""`backup.*` and `export.*`: a profile in one sealed file, and a person's data in files that need no kezd."""

from kezd.api.types.base import Descriptor, LongMutation, LongParams, Result


class BackupContents(Result, frozen=True, kw_only=True):
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


class BackupCreateParams(LongMutation, frozen=True, kw_only=True):
    """Where to (`path` or `file`), and what seals it."""

    path: str | None = None
    """Absolute; written beside it and renamed when it is whole. A peer that runs as a service may
    not write to the person's directories: send an open file then."""
    file: Descriptor | None = None
    """An open file or pipe that comes along with the line."""
    passphrase: str
    """At least 10 characters; needed to restore, and nobody can help who has lost it."""
    replace: bool = False
    """Overwrite a file of that name."""


class BackupResult(Result, frozen=True, kw_only=True):
    """A backup that was made, or looked through."""

    path: str | None
    bytes: int
    contents: BackupContents


class BackupVerifyParams(LongParams, frozen=True, kw_only=True):
    """Which file (`path` or `file`) to look through."""

    path: str | None = None
    """Absolute."""
    file: Descriptor | None = None
    """An open file or pipe that comes along with the line."""
    passphrase: str


class BackupRestoreParams(LongMutation, frozen=True, kw_only=True):
    """What to restore into this connection's profile, which must be empty."""

    path: str | None = None
    """Absolute; or `file`."""
    file: Descriptor | None = None
    """An open file or pipe that comes along with the line."""
    passphrase: str
    """Of the backup."""
    vault_passphrase: str | None = None
    """For the new vault, on a machine without a keyring."""


class BackupRestoreResult(Result, frozen=True, kw_only=True):
    """The profile as it is now."""

    state: str
    """Of the identity: `superseded` until `identity.restore` without words makes this installation the live one."""
    contents: BackupContents


class ExportCreateParams(LongMutation, frozen=True, kw_only=True):
    """Where to write a person's own data (`path` or `file`): a tar archive, readable and not encrypted."""

    path: str | None = None
    """Absolute; nothing may be there. A peer that runs as a service may not write everywhere: see `file`."""
    file: Descriptor | None = None
    """An open file or pipe that comes along with the line."""


class ExportResult(Result, frozen=True, kw_only=True):
    """What was written."""

    path: str | None
    files: int
    messages: int
    conversations: int
    contacts: int
