"""Handles `alice@kez.lat` and the names of home servers.

Not here: who owns a handle. Invariants: a handle is lower-case ASCII and always holds its server; a server
name is a host in ASCII with an optional port.
"""

import re
from dataclasses import dataclass
from typing import Final

from kezd.kez.errors import HandleError, shown

MIN_LENGTH: Final = 3  # characters of the name
MAX_LENGTH: Final = 32
_MAX_TEXT: Final = 320  # characters that are looked at: name, two @, 253 of host, port

# fmt: off
RESERVED: Final = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "api", "auth", "billing", "bot", "contact",
    "daemon", "everyone", "guest", "help", "home", "host", "hostmaster", "info", "internal", "kez", "kezd",
    "login", "mail", "moderator", "nats", "news", "noreply", "no-reply", "null", "official", "operator",
    "owner", "postmaster", "register", "registry", "root", "security", "server", "service", "settings",
    "sigchain", "staff", "status", "support", "sys", "system", "team", "test", "undefined", "unknown",
    "user", "webmaster", "well-known", "www",
})
# fmt: on

_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{{MIN_LENGTH - 1},{MAX_LENGTH - 1}}}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SERVER: Final = re.compile(rf"((?:{_LABEL}\.)*{_LABEL})(?::([1-9][0-9]{{0,4}}))?")


@dataclass(frozen=True, slots=True)
class Handle:
    """A name at a home server.

    Attributes:
        name: 3 to 32 of `a-z 0-9 _ -`.
        server: host, with `:port` where it is not the usual one.
    """

    name: str
    server: str

    def __str__(self) -> str:
        return f"{self.name}@{self.server}"


def parse_server_name(text: str) -> str:
    """Read the name of a home server: `kez.lat`, `localhost:6969`, `127.0.0.1:6969`.

    Returns:
        The name in lower case without a trailing dot.

    Raises:
        HandleError: not a host in ASCII form with an optional port from 1 to 65535.
    """
    name = text.lower().removesuffix(".")
    found = _SERVER.fullmatch(name) if len(name) <= _MAX_TEXT else None
    if found is None or len(found[1]) > 253 or int(found[2] or 1) > 65535:
        raise HandleError(f"{shown(text)} is not the name of a home server")
    return name


def parse_name(text: object) -> str:
    """Read the bare name of a handle, by the rules a home server registers by.

    Raises:
        HandleError: wrong length, wrong characters, or reserved.
    """
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise HandleError(
            f"a handle has {MIN_LENGTH} to {MAX_LENGTH} of a-z 0-9 _ - and starts with a letter or digit, "
            f"unlike {shown(text)}"
        )
    if text in RESERVED:
        raise HandleError(f"the handle {shown(text)} is reserved")
    return text


def parse_handle(text: str, default_server: str | None = None) -> Handle:
    """Read `@alice@kez.lat`, `alice@kez.lat`, `@alice` or `alice`.

    Args:
        text: what a person or a record says.
        default_server: the server that is implied where none is written.

    Raises:
        HandleError: not a handle, or it has no server and none is implied.
    """
    if len(text) > _MAX_TEXT:
        raise HandleError(f"{shown(text)} is not a handle")
    name, at, server = text.strip().removeprefix("@").partition("@")
    if not at:
        if default_server is None:
            raise HandleError(f"the handle {shown(text)} does not say its server, like alice@kez.lat")
        server = default_server
    return Handle(parse_name(name), parse_server_name(server))
