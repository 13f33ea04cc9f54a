"""`identity.*`: the person's own key, handle and recovery words."""

from typing import Literal

from kezd.api.types.base import Mutation, Params, Result


class IdentityCreateParams(Mutation, frozen=True, kw_only=True):
    """Make a key and its recovery words. Nothing is registered yet."""

    words: Literal[12, 24] = 24
    passphrase: str | None = None
    """For a new vault on a machine without a keyring."""


class IdentityCreateResult(Result, frozen=True, kw_only=True):
    """The words, to be written on paper; the same again until they are confirmed."""

    primary: str
    words: list[str]
    ask: list[int]
    """1-based positions of the words that `identity.confirm` wants."""


class IdentityConfirmParams(Mutation, frozen=True, kw_only=True):
    """The words at the positions asked for, keyed by position as text."""

    answers: dict[str, str]


class IdentityRegisterParams(Mutation, frozen=True, kw_only=True):
    """Bind a handle to the confirmed key on the home server, then publish the sigchain."""

    handle: str
    home_url: str | None = None
    """Overrides the configuration's `home.url` for this identity from now on."""


class IdentityRestoreParams(Mutation, frozen=True, kw_only=True):
    """Bring an identity back from its words on an empty profile (or take over again)."""

    words: str | None = None
    """12 or 24 words; None on a superseded installation that takes over again."""
    passphrase: str | None = None
    home_url: str | None = None


class IdentityResult(Result, frozen=True, kw_only=True):
    """The identity of this profile."""

    state: Literal["none", "unconfirmed", "unregistered", "active", "superseded"]
    primary: str | None = None
    """The first key of its sigchain, which names it for ever."""
    key: str | None = None
    """The primary that signs now; another one than `primary` after a rotation."""
    handle: str | None = None
    home_url: str | None = None
    nkey: str | None = None
    chain_seq: int | None = None
    chain_head: str | None = None
    registered_at: int | None = None
    reason: str | None = None
    """Why it is superseded."""
    rotation: Literal["shown", "confirmed"] | None = None
    """How far a change of its key has come."""
    chain_alarm: str | None = None
    """What contradicts our own sigchain: a server that shows others something else, or a second signer."""


class IdentityWordsParams(Params, frozen=True, kw_only=True):
    """Show the words again, after a fresh unlock."""

    passphrase: str | None = None


class WordsResult(Result, frozen=True, kw_only=True):
    """The recovery words."""

    words: list[str]
