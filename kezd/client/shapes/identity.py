"""Shapes of `identity`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import Literal, NotRequired, TypedDict


class IdentityConfirmParams(TypedDict):
    """The words at the positions asked for, keyed by position as text."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    answers: dict[str, str]


class IdentityCreateParams(TypedDict):
    """Make a key and its recovery words. Nothing is registered yet."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    words: NotRequired[Literal[12, 24]]
    passphrase: NotRequired[str | None]
    """For a new vault on a machine without a keyring."""


class IdentityCreateResult(TypedDict):
    """The words, to be written on paper; the same again until they are confirmed."""

    primary: str
    words: list[str]
    ask: list[int]
    """1-based positions of the words that `identity.confirm` wants."""


class IdentityRegisterParams(TypedDict):
    """Bind a handle to the confirmed key on the home server, then publish the sigchain."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    handle: str
    home_url: NotRequired[str | None]
    """Overrides the configuration's `home.url` for this identity from now on."""


class IdentityRestoreParams(TypedDict):
    """Bring an identity back from its words on an empty profile (or take over again)."""

    idempotency_key: NotRequired[str | None]
    """Remembered for 24 h with the result; 1 to 128 characters."""
    dry_run: NotRequired[bool]
    """Check everything, change nothing."""
    words: NotRequired[str | None]
    """12 or 24 words; None on a superseded installation that takes over again."""
    passphrase: NotRequired[str | None]
    home_url: NotRequired[str | None]


class IdentityResult(TypedDict):
    """The identity of this profile."""

    state: Literal["active", "none", "superseded", "unconfirmed", "unregistered"]
    primary: NotRequired[str | None]
    """The first key of its sigchain, which names it for ever."""
    key: NotRequired[str | None]
    """The primary that signs now; another one than `primary` after a rotation."""
    handle: NotRequired[str | None]
    home_url: NotRequired[str | None]
    nkey: NotRequired[str | None]
    chain_seq: NotRequired[int | None]
    chain_head: NotRequired[str | None]
    registered_at: NotRequired[int | None]
    reason: NotRequired[str | None]
    """Why it is superseded."""
    rotation: NotRequired[Literal["confirmed", "shown"] | None]
    """How far a change of its key has come."""
    chain_alarm: NotRequired[str | None]
    """What contradicts our own sigchain: a server that shows others something else, or a second signer."""


class IdentityWordsParams(TypedDict):
    """Show the words again, after a fresh unlock."""

    passphrase: NotRequired[str | None]


class WordsResult(TypedDict):
    """The recovery words."""

    words: list[str]
