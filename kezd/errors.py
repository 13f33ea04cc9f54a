"""The errors that cross a boundary: few classes, one stable slug each, one table to the wire.

Services, stores and adapters raise `KezdError` families; the RPC server turns them into
JSON-RPC errors with `data.slug`, the client library turns those back into the same
families, and the command line takes its exit code from the same table. Imports only
the standard library, so that thin clients may use it.
"""

from enum import Enum
from typing import Any, ClassVar, NamedTuple, Self


class Family(Enum):
    """What a caller should do about an error. The value is the JSON-RPC code."""

    REQUEST = 1000
    """Ask differently."""
    ACCESS = 1100
    """Unlock, or ask as somebody who may."""
    UNAVAILABLE = 1200
    """Try again later."""
    TRUST = 1300
    """Stop: a person has to decide."""
    STORE = 1400
    """This machine's storage failed."""
    INTERNAL = 1500
    """A bug: there is an incident id and a traceback in the log."""


class Slug(Enum):
    """Every error a client can see. The value is the stable contract (`data.slug`)."""

    INVALID_ARGUMENT = "invalid_argument"
    NOT_INITIALIZED = "not_initialized"
    UNSUPPORTED_API = "unsupported_api"
    UNKNOWN_PROFILE = "unknown_profile"
    PROFILE_EXISTS = "profile_exists"
    PROFILE_IN_USE = "profile_in_use"
    NOT_FOUND = "not_found"
    NOT_A_CONTACT = "not_a_contact"
    NO_IDENTITY = "no_identity"
    IDENTITY_EXISTS = "identity_exists"
    IDENTITY_PENDING = "identity_pending"
    WORDS_NOT_CONFIRMED = "words_not_confirmed"
    WRONG_WORDS = "wrong_words"
    HANDLE_TAKEN = "handle_taken"
    PRIMARY_TAKEN = "primary_taken"
    NOT_REGISTERED = "not_registered"
    REQUEST_PENDING = "request_pending"
    BLOCKED = "blocked"
    TOO_LARGE = "too_large"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    CANNOT_REPLAY = "cannot_replay"
    TAKEN_OVER = "taken_over"
    BUSY = "busy"
    NO_COMMON_VERSION = "no_common_version"
    CANCELLED = "cancelled"

    FORBIDDEN = "forbidden"
    CONFIRMATION_REFUSED = "confirmation_refused"
    CREDENTIAL_NEEDED = "credential_needed"
    CREDENTIAL_REFUSED = "credential_refused"
    LOCKED = "locked"
    WRONG_PASSPHRASE = "wrong_passphrase"
    PASSPHRASE_NEEDED = "passphrase_needed"
    KEYRING_MISSING = "keyring_missing"
    KEYRING_LOCKED = "keyring_locked"
    VAULT_DAMAGED = "vault_damaged"

    NOT_RUNNING = "not_running"
    HOME_UNREACHABLE = "home_unreachable"
    HOME_REFUSED = "home_refused"
    OFFLINE = "offline"
    RATE_LIMITED = "rate_limited"
    SUPERSEDED = "superseded"
    FOREIGN_HOME = "foreign_home"
    INBOX_FULL = "inbox_full"
    HOME_FULL = "home_full"
    QUOTA = "quota"
    STOPPING = "stopping"
    SERVICE_UNREACHABLE = "service_unreachable"

    KEY_CHANGED = "key_changed"
    CHAIN_FORK = "chain_fork"
    CHAIN_ROLLBACK = "chain_rollback"
    CHAIN_INVALID = "chain_invalid"
    HOME_LIED = "home_lied"

    STORE_FAILED = "store_failed"
    DISK_FULL = "disk_full"
    SCHEMA_TOO_NEW = "schema_too_new"
    ALREADY_RUNNING = "already_running"
    UNSAFE_PATH = "unsafe_path"
    FILE_EXISTS = "file_exists"
    FILE_FAILED = "file_failed"
    BACKUP_DAMAGED = "backup_damaged"
    BAD_CONFIG = "bad_config"

    INTERNAL = "internal"


class SlugInfo(NamedTuple):
    """One row of the error table (a tuple: importing dataclasses would cost the command line 10 ms)."""

    family: Family
    exit_code: int
    """Exit code of `kez` (see `kez help exit-codes`)."""
    retryable: bool
    text: str
    """What it means, for people; also the message when the raiser gave none."""
    hint: str = ""
    """The next step, when it is always the same one."""


def _row(family: Family, exit_code: int, text: str, hint: str = "", *, retryable: bool = False) -> SlugInfo:
    return SlugInfo(family, exit_code, retryable, text, hint)


_R, _A, _U, _T, _S = Family.REQUEST, Family.ACCESS, Family.UNAVAILABLE, Family.TRUST, Family.STORE

TABLE: dict[Slug, SlugInfo] = {
    Slug.INVALID_ARGUMENT: _row(_R, 2, "a parameter is missing, unknown or malformed"),
    Slug.NOT_INITIALIZED: _row(_R, 2, "the first call must be session.initialize"),
    Slug.UNSUPPORTED_API: _row(_R, 2, "no API version in common", "upgrade the older of kezd and its client"),
    Slug.UNKNOWN_PROFILE: _row(_R, 5, "there is no profile of that name"),
    Slug.PROFILE_EXISTS: _row(_R, 6, "there is a profile of that name already", "kez profile list"),
    Slug.PROFILE_IN_USE: _row(_R, 6, "this profile is still needed", "kez profile remove --force NAME"),
    Slug.NOT_FOUND: _row(_R, 5, "there is nothing of that name"),
    Slug.NOT_A_CONTACT: _row(_R, 5, "not a contact", "add them first: kez add HANDLE"),
    Slug.NO_IDENTITY: _row(_R, 5, "no identity on this machine", "kez register HANDLE, or kez restore"),
    Slug.IDENTITY_EXISTS: _row(_R, 6, "this profile already has an identity", "kez whoami"),
    Slug.IDENTITY_PENDING: _row(
        _R,
        6,
        "an identity waits for its words to be confirmed",
        "kez register HANDLE goes on where it stopped",
    ),
    Slug.WORDS_NOT_CONFIRMED: _row(
        _R, 2, "the words asked for were not the right ones", "look at your paper and try again"
    ),
    Slug.WRONG_WORDS: _row(
        _R, 2, "these are not recovery words", "check spelling and order; there are 24 (or 12)"
    ),
    Slug.HANDLE_TAKEN: _row(_R, 6, "the handle is taken", "choose another handle"),
    Slug.PRIMARY_TAKEN: _row(
        _R, 6, "this key already has another handle on that server", "kez restore brings it back"
    ),
    Slug.NOT_REGISTERED: _row(_R, 5, "the home server does not know this identity", "kez register HANDLE"),
    Slug.REQUEST_PENDING: _row(
        _R, 6, "this person's message request waits for your answer", "kez contacts --accept HANDLE"
    ),
    Slug.BLOCKED: _row(_R, 6, "this contact is blocked"),
    Slug.TOO_LARGE: _row(_R, 2, "too large"),
    Slug.IDEMPOTENCY_CONFLICT: _row(
        _R, 6, "the idempotency key was used with other parameters", "use a new key for a new call"
    ),
    Slug.CANNOT_REPLAY: _row(_R, 6, "events that old are gone", "subscribe without `since` and list again"),
    Slug.TAKEN_OVER: _row(
        _R, 6, "another program listens under this consumer's name now", "give each program a name of its own"
    ),
    Slug.BUSY: _row(_R, 9, "too many calls or connections at once", retryable=True),
    Slug.NO_COMMON_VERSION: _row(
        _R, 6, "the contact reads no message version that we write", "one of you has to upgrade kezd"
    ),
    Slug.CANCELLED: _row(_R, 1, "the call was cancelled"),
    Slug.FORBIDDEN: _row(_A, 4, "this connection may not do that"),
    Slug.CONFIRMATION_REFUSED: _row(
        _A, 4, "nobody confirmed it", "kez confirm, in another terminal, answers what waits"
    ),
    Slug.CREDENTIAL_NEEDED: _row(
        _A, 4, "kezd may not publish as that account", "kez claim authorize SYSTEM:ACCOUNT"
    ),
    Slug.CREDENTIAL_REFUSED: _row(
        _A,
        4,
        "the service refuses what was to be published",
        "look at the credential's rights, then: kez claim authorize",
    ),
    Slug.LOCKED: _row(_A, 4, "the vault is locked", "kez unlock"),
    Slug.WRONG_PASSPHRASE: _row(_A, 4, "wrong passphrase"),
    Slug.PASSPHRASE_NEEDED: _row(
        _A,
        4,
        "there is no keyring here, so the vault needs a passphrase",
        "give --passphrase-file FILE, or type one when asked",
    ),
    Slug.KEYRING_MISSING: _row(
        _A,
        4,
        "the keyring that holds this vault's key is not there",
        "start the keyring (Secret Service), or kez restore",
    ),
    Slug.KEYRING_LOCKED: _row(_A, 4, "the keyring is locked", "unlock the keyring, then: kez unlock"),
    Slug.VAULT_DAMAGED: _row(
        _A, 4, "the vault file is damaged", "put back a copy of it, or kez restore with your words"
    ),
    Slug.NOT_RUNNING: _row(
        _U, 3, "kezd is not running", "systemctl --user start kezd, or run: kezd", retryable=True
    ),
    Slug.HOME_UNREACHABLE: _row(
        _U, 7, "the home server does not answer", "check the network; kez doctor", retryable=True
    ),
    Slug.HOME_REFUSED: _row(_U, 7, "the home server refused"),
    Slug.OFFLINE: _row(_U, 7, "not connected", retryable=True),
    Slug.RATE_LIMITED: _row(_U, 9, "asked too often", "wait a moment", retryable=True),
    Slug.SUPERSEDED: _row(
        _U,
        6,
        "another installation of this identity has taken over",
        "to take it back: kez restore --takeover",
    ),
    Slug.FOREIGN_HOME: _row(_U, 7, "the contact's home server takes no messages from other homes"),
    Slug.INBOX_FULL: _row(
        _U, 7, "the contact's inbox is full", "it empties when they come back", retryable=True
    ),
    Slug.HOME_FULL: _row(
        _U, 7, "the home server's storage is full", "its operator has to make room", retryable=True
    ),
    Slug.QUOTA: _row(
        _U,
        9,
        "too many of your messages wait undelivered",
        "wait until somebody has read some",
        retryable=True,
    ),
    Slug.STOPPING: _row(_U, 3, "kezd is stopping", retryable=True),
    Slug.SERVICE_UNREACHABLE: _row(
        _U, 7, "the service does not answer, so nothing is known", "try again later", retryable=True
    ),
    Slug.KEY_CHANGED: _row(
        _T, 8, "this contact's key has changed", "compare safety words, then: kez contacts --trust HANDLE"
    ),
    Slug.CHAIN_FORK: _row(_T, 8, "this contact's sigchain has two heads"),
    Slug.CHAIN_ROLLBACK: _row(_T, 8, "this contact's sigchain is shorter than before"),
    Slug.CHAIN_INVALID: _row(_T, 8, "the sigchain does not verify"),
    Slug.HOME_LIED: _row(_T, 8, "the home server's answer does not verify"),
    Slug.STORE_FAILED: _row(_S, 1, "the local database failed", "kez doctor"),
    Slug.DISK_FULL: _row(_S, 1, "the disk is full", "make room; nothing was lost", retryable=True),
    Slug.SCHEMA_TOO_NEW: _row(_S, 1, "the database is of a newer kezd", "upgrade kezd"),
    Slug.ALREADY_RUNNING: _row(_S, 6, "kezd is already running for this home"),
    Slug.UNSAFE_PATH: _row(_S, 4, "a directory is not private"),
    Slug.FILE_EXISTS: _row(_R, 6, "there is a file of that name already", "choose another name"),
    Slug.FILE_FAILED: _row(_S, 1, "a file could not be read or written"),
    Slug.BACKUP_DAMAGED: _row(
        _S, 1, "this is no backup, or it is damaged or not whole", "try another copy; nothing was changed"
    ),
    Slug.BAD_CONFIG: _row(
        _R, 2, "the configuration is wrong", "kezd config shows each value and where it comes from"
    ),
    Slug.INTERNAL: _row(Family.INTERNAL, 70, "a bug in kezd", "please report it with the incident id"),
}


class KezdError(Exception):
    """Something a caller can be told about. Raise one of the families below.

    Args:
        slug: the row of the table; it must belong to the family raised.
        message: for people; the table's text when empty. No secrets, foreign text escaped.
        hint: the next step; the table's when empty.
        retry_after_ms: when it is worth trying again.
        detail: further members of the JSON-RPC error's `data`.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        slug: Slug,
        message: str = "",
        *,
        hint: str = "",
        retry_after_ms: int | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        info = TABLE[slug]
        super().__init__(message or info.text)
        self.slug = slug
        self.message = message or info.text
        self.hint = hint or info.hint
        self.retryable = info.retryable
        self.retry_after_ms = retry_after_ms
        self.detail = detail or {}
        self.changed = False
        """Whether something was done all the same: the answer of a repeated call, then (`after_change`)."""

    def after_change(self) -> Self:
        """The same, of a call that changed something before it failed."""
        self.changed = True
        return self

    @property
    def exit_code(self) -> int:
        """Exit code of the command line for this error."""
        return TABLE[self.slug].exit_code


class RequestError(KezdError):
    """Ask differently."""

    family = Family.REQUEST


class AccessError(KezdError):
    """Locked, or not allowed."""

    family = Family.ACCESS


class UnavailableError(KezdError):
    """Try again later. The only family that loops retry."""

    family = Family.UNAVAILABLE


class TrustError(KezdError):
    """Stop and ask a person. Never retried, never resolved by itself."""

    family = Family.TRUST


class StoreError(KezdError):
    """This machine's storage failed or refuses."""

    family = Family.STORE


class InternalError(KezdError):
    """A bug, as a client sees it."""

    family = Family.INTERNAL


FAMILIES: dict[Family, type[KezdError]] = {
    c.family: c for c in (RequestError, AccessError, UnavailableError, TrustError, StoreError, InternalError)
}


def error_for(slug: Slug, message: str = "", **rest: Any) -> KezdError:
    """The error of the family that `slug` belongs to."""
    return FAMILIES[TABLE[slug].family](slug, message, **rest)
