"""Identifiers `system:value`: reading, normal form, writing.

Not here: whether a claim about one is true, and handles (`kezd.kez.handles`). Invariants: the system is never
left out; parse and format are inverse on normal forms; at most 256 characters, none of them control.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from kezd.kez import bech32
from kezd.kez.errors import IdentifierError, KeyMaterialError, shown
from kezd.kez.keys import PRIMARY_PREFIX, PublicKey

MAX_LENGTH: Final = 256  # characters of a whole identifier

_SYSTEM: Final = re.compile(r"[a-z][a-z0-9]{0,31}")
_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_GITHUB: Final = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,38}")
_AP_USER: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,62}[a-z0-9_])?")
_ALIASES: Final = {"mastodon": "ap"}


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name in some system, in normal form when it comes from `parse_identifier`.

    Attributes:
        system: for example `github`.
        value: for example `octocat`.
    """

    system: str
    value: str

    def __str__(self) -> str:
        return format_identifier(self)


def parse_identifier(text: str) -> Identifier:
    """Read an identifier and bring it into normal form.

    A system without rules of its own (did, ens, farcaster, …) keeps its value as it is.

    Raises:
        IdentifierError: no system, too long, control characters, or not a name of that system.
    """
    if len(text) > MAX_LENGTH:
        raise IdentifierError(f"an identifier has at most {MAX_LENGTH} characters")
    # Also format characters and surrogates: they make two names look like one.
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in text):
        raise IdentifierError("an identifier holds no control characters")
    system, colon, value = text.strip().partition(":")
    system = system.lower()
    system = _ALIASES.get(system, system)
    if not colon or not value.strip() or not _SYSTEM.fullmatch(system):
        raise IdentifierError(f"an identifier is written system:name, not {shown(text)}")
    return Identifier(system, _normal(system, value.strip()))


def _normal(system: str, value: str) -> str:
    match system:
        case "ed25519":
            return _matching(_HEX_KEY, value.lower(), "64 hex digits")
        case "nostr":
            bech32.decode_key("npub", value.lower())
            return value.lower()
        case "github":
            return _matching(_GITHUB, value.lower().removeprefix("@"), "a GitHub name")
        case "bluesky":
            return _domain(value.removeprefix("@"))
        case "dns" | "web":
            return _domain(value)
        case "ap":
            user, _, host = value.lower().removeprefix("@").partition("@")
            return f"{_matching(_AP_USER, user, 'a name like user@host')}@{_domain(host)}"
        case _:
            return value


def _domain(value: str) -> str:
    name = value.lower().removesuffix(".")
    return _matching(_DOMAIN, name, "a domain in ASCII form")


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise IdentifierError(f"{shown(value)} is not {what}")
    return value


def format_identifier(identifier: Identifier) -> str:
    """Write an identifier as `system:value`."""
    return f"{identifier.system}:{identifier.value}"


def parse_primary(text: object) -> PublicKey:
    """Read a primary that can chat: exactly `ed25519:` and 64 lower-case hex digits.

    Args:
        text: anything; only a string in normal form is taken, signed data has no other.

    Raises:
        IdentifierError: another form or another system.
        KeyMaterialError: the key is not usable (no point of the prime-order group).
    """
    if not isinstance(text, str) or not text.startswith(PRIMARY_PREFIX):
        raise IdentifierError(f"a primary is written ed25519:<64 hex digits>, not {shown(text)}")
    try:
        key = PublicKey.from_hex(text.removeprefix(PRIMARY_PREFIX))
    except KeyMaterialError as error:
        raise IdentifierError(f"a primary is written ed25519:<64 hex digits>, not {shown(text)}") from error
    key.x25519()
    return key
