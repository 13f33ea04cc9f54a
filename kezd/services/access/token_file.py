"""The two files of tokens: `tokens.json` (hashes) and `full.token` (the person's own secret).

Not what a token allows. Invariants: both are regular files of ours that nobody else can read,
or they are refused; a file that does not say exactly what we write is refused whole, so that
no content of it ever gives access; a new `tokens.json` takes the old one's place in one step.
"""

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from kezd.errors import Slug, StoreError
from kezd.runtime.new_file import file_error, new_file

PREFIX = "kezt_"
SECRET_LENGTH = len(PREFIX) + 43
SECRET_BYTES = 32
FILE_LIMIT = 1024 * 1024

_Time = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class TokenRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A token as it is kept: its secret is not. Times are unix seconds."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """SHA-256 of the secret's text."""
    scope: Literal["full", "chat", "read"]
    created_at: _Time
    expires_at: _Time | None = None
    last_used_at: _Time | None = None
    profiles: Annotated[list[str], msgspec.Meta(min_length=1, max_length=64)] | None = None
    """The only ones it is for; None for all."""


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    version: Literal[1]
    tokens: list[TokenRecord]


def new_secret() -> str:
    """`kezt_` and 43 characters, 256 random bits."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def read_tokens(path: Path) -> list[TokenRecord]:
    """What the file holds; nothing when there is none.

    Raises:
        StoreError: `unsafe_path` when it is not ours alone, `store_failed` when its content is not
            exactly of the form that kezd writes.
    """
    data = _read(path)
    if data is None:
        return []
    try:
        tokens = msgspec.json.decode(data, type=_File, strict=True).tokens
        if problem := _problem(tokens):
            raise ValueError(problem)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise StoreError(
            Slug.STORE_FAILED,
            f"{path} is damaged: {error}",
            hint=f"mv {path} {path}.damaged, then make the tokens anew: kez token create",
        ) from error
    return tokens


def write_tokens(path: Path, tokens: list[TokenRecord]) -> None:
    """Put these in the place of what the file held.

    Raises:
        StoreError: `disk_full` or `file_failed`; the old file still stands then.
    """
    data = msgspec.json.format(msgspec.json.encode(_File(version=1, tokens=tokens)), indent=1) + b"\n"
    with new_file(path, replace=True) as file:
        file.write(data)


def full_secret(path: Path) -> str:
    """The person's own secret, made if there is none yet.

    Raises:
        StoreError: `unsafe_path` when others could have read it, `store_failed`, `disk_full`, `file_failed`.
    """
    data = _read(path)
    if data is None:
        secret = new_secret()
        with new_file(path) as file:
            file.write(secret.encode() + b"\n")
        return secret
    text = data.decode("ascii", "replace").strip()
    if not is_secret(text):
        raise StoreError(
            Slug.STORE_FAILED, f"{path} holds no token", hint=f"rm {path}; the next start makes a new one"
        )
    return text


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret."""
    body = text.removeprefix(PREFIX)
    return (
        len(text) == SECRET_LENGTH
        and text.startswith(PREFIX)
        and body.isascii()
        and body.replace("-", "a").replace("_", "a").isalnum()
    )


def _problem(tokens: list[TokenRecord]) -> str:
    if len({token.name for token in tokens}) != len(tokens):
        return "two tokens of one name"
    if len({token.hash for token in tokens}) != len(tokens):
        return "two tokens of one secret"
    if any(not is_name(token.name) for token in tokens):
        return "a token's name is not 1 to 64 printable characters"
    if any(token.scope == "full" and token.profiles is not None for token in tokens):
        return "a full token for some profiles only"
    return ""


def is_name(name: str) -> bool:
    """Whether a token may have that name."""
    return 1 <= len(name) <= 64 and name.isprintable() and name == name.strip()


def _read(path: Path) -> bytes | None:
    try:
        # NONBLOCK: a pipe in the file's place must not hold up the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError(Slug.UNSAFE_PATH, f"{path} is a link", hint=f"rm {path}") from error
        raise file_error(error, f"cannot read {path}") from error
    try:
        _refuse_open_to_others(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise StoreError(Slug.STORE_FAILED, f"{path} is over 1 MiB long", hint=f"mv {path} {path}.damaged")
    return data


def _refuse_open_to_others(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(Slug.UNSAFE_PATH, f"{path} is not a file", hint=f"move {path} away")
    if found.st_uid != os.geteuid():
        raise StoreError(Slug.UNSAFE_PATH, f"{path} belongs to another user", hint=f"rm -f {path}")
    if found.st_mode & 0o077:
        raise StoreError(
            Slug.UNSAFE_PATH,
            f"{path} is open to other users",
            hint=f"if nobody else can have read it: chmod 600 {path}; otherwise: rm {path}",
        )
