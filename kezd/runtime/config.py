"""The configuration: filled from defaults, file, environment and flags.

Later sources win, in that order, value by value, and each value remembers where it came
from. An unknown key, section or value of the wrong type is an error that names it. The
environment's name for `chat.read_receipts` is `KEZD_CHAT_READ_RECEIPTS`. Holds no secrets.
"""

import dataclasses
import difflib
import re
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, get_type_hints

from kezd.errors import RequestError, Slug
from kezd.runtime.paths import Paths
from kezd.runtime.settings import (
    ChannelsSettings,
    ChatSettings,
    Check,
    ContactsSettings,
    EventsSettings,
    HomeSettings,
    LogSettings,
    ProfilesSettings,
    Range,
    RpcSettings,
    Url,
    VaultSettings,
    no_entries,
)
from kezd.runtime.urls import is_acceptable_url


class OriginKind(Enum):
    """Which source a value came from; later ones win."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "env"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: `where` is `path:line`, the variable's or the flag's name."""

    kind: OriginKind
    where: str = ""

    def __str__(self) -> str:
        return self.where if self.kind is OriginKind.FILE else f"{self.kind.value} {self.where}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be configured; `origins` has one entry for each `section.key`."""

    home: HomeSettings = field(default_factory=HomeSettings)
    vault: VaultSettings = field(default_factory=VaultSettings)
    chat: ChatSettings = field(default_factory=ChatSettings)
    contacts: ContactsSettings = field(default_factory=ContactsSettings)
    channels: ChannelsSettings = field(default_factory=ChannelsSettings)
    events: EventsSettings = field(default_factory=EventsSettings)
    rpc: RpcSettings = field(default_factory=RpcSettings)
    log: LogSettings = field(default_factory=LogSettings)
    profiles: ProfilesSettings = field(default_factory=ProfilesSettings)
    origins: Mapping[str, Origin] = field(default_factory=no_entries, repr=False)


@dataclass(frozen=True, slots=True)
class Explained:
    """One line of `kezd config`."""

    name: str
    value: str
    origin: str
    doc: str


@dataclass(frozen=True, slots=True)
class _Key:
    section: str
    key: str
    kind: Any
    default: Any
    doc: str
    check: Check

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"KEZD_{self.section}_{self.key}".upper()


def _sections() -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(Config).items() if name != "origins"}


def _schema() -> dict[str, _Key]:
    keys = [
        _Key(
            section, f.name, get_type_hints(cls)[f.name], _default(f), f.metadata["doc"], f.metadata["check"]
        )
        for section, cls in _sections().items()
        for f in dataclasses.fields(cls)
    ]
    return {key.name: key for key in keys}


def _default(member: "dataclasses.Field[Any]") -> Any:
    if member.default_factory is not dataclasses.MISSING:
        return member.default_factory()
    return member.default


def load(environ: Mapping[str, str], paths: Paths, flags: Mapping[str, str]) -> Config:
    """Read the configuration.

    Args:
        environ: variables; those that begin like a section (`KEZD_CHAT_`) must be known.
        paths: names the file, which need not exist.
        flags: `section.key` to the value as text, from the command line.

    Raises:
        RequestError: `bad_config`, naming the key and where it stands.
    """
    schema = _schema()
    values = {name: key.default for name, key in schema.items()}
    origins = {name: Origin(OriginKind.DEFAULT) for name in schema}
    for name, raw, origin in (
        *_from_file(schema, paths),
        *_from_environment(schema, environ),
        *((name, text, Origin(OriginKind.FLAG, f"--{name}")) for name, text in flags.items()),
    ):
        if name not in schema:
            raise _unknown(name, origin, schema)
        textual = origin.kind is not OriginKind.FILE
        values[name] = _convert(schema[name], _parse(schema[name], raw) if textual else raw, origin)
        origins[name] = origin
    sections = {
        section: cls(**{f.name: values[f"{section}.{f.name}"] for f in dataclasses.fields(cls)})
        for section, cls in _sections().items()
    }
    return Config(**sections, origins=types.MappingProxyType(origins))


def explain(config: Config) -> list[Explained]:
    """Every value with its origin, in the order of the schema."""
    return [
        Explained(
            name,
            _format(getattr(getattr(config, key.section), key.key)),
            str(config.origins.get(name, Origin(OriginKind.DEFAULT))),
            key.doc,
        )
        for name, key in _schema().items()
    ]


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{k}={v}" for k, v in value.items())
    return str(value)


_Found = tuple[str, Any, Origin]


def _from_file(schema: Mapping[str, _Key], paths: Paths) -> list[_Found]:
    path = paths.config_file
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RequestError(Slug.BAD_CONFIG, f"{path}: {error}") from error
    lines = _line_numbers(text)
    found: list[_Found] = []
    for section, members in document.items():
        where = Origin(OriginKind.FILE, f"{path}:{lines.get(section, 1)}")
        if not isinstance(members, dict):
            raise _unknown(section, where, schema)
        if section not in _sections():
            raise _unknown(section, where, _sections())
        for key, value in members.items():
            name = f"{section}.{key}"
            line = lines.get(name, lines.get(section, 1))
            found.append((name, value, Origin(OriginKind.FILE, f"{path}:{line}")))
    return found


_HEADER = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([\w-]+(?:\s*\.\s*[\w-]+)?)\s*[=.]")


def _line_numbers(text: str) -> dict[str, int]:
    """Line of each section and key, for messages only: tomllib does not tell them."""
    numbers: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = header[1]
            numbers.setdefault(section, number)
        elif assignment := _ASSIGNMENT.match(line):
            name = re.sub(r"\s", "", assignment[1])
            numbers.setdefault(f"{section}.{name}" if section else name, number)
            if not section:
                numbers.setdefault(name.partition(".")[0], number)
    return numbers


def _from_environment(schema: Mapping[str, _Key], environ: Mapping[str, str]) -> list[_Found]:
    names = {key.variable: key.name for key in schema.values()}
    prefixes = tuple(f"KEZD_{section.upper()}_" for section in _sections())
    found: list[_Found] = []
    for variable, text in environ.items():
        if variable.startswith(prefixes):
            origin = Origin(OriginKind.ENVIRONMENT, variable)
            if variable not in names:
                raise _unknown(variable, origin, names)
            found.append((names[variable], text, origin))
    return found


def _unknown(name: str, origin: Origin, known: Mapping[str, Any]) -> RequestError:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else "kezd config lists every key"
    return RequestError(Slug.BAD_CONFIG, f"unknown key {name!r} ({origin})", hint=hint)


def _parse(key: _Key, text: str) -> Any:
    """The TOML-like value of a text from the environment or a flag; left as it is when it does not fit."""
    if key.kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            text.strip().lower(), text
        )
    if key.kind in (int, float):
        try:
            return key.kind(text)
        except ValueError:
            return text
    if isinstance(key.default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(key.default, Mapping):
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        return {name.strip(): value.strip() for name, _, value in pairs}
    return text


def _convert(key: _Key, value: Any, origin: Origin) -> Any:
    def wrong(wanted: str) -> RequestError:
        return RequestError(Slug.BAD_CONFIG, f"{key.name} must be {wanted} ({origin})", hint=key.doc)

    if isinstance(key.kind, type) and issubclass(key.kind, StrEnum):
        if value not in list(key.kind):
            raise wrong("one of " + ", ".join(key.kind))
        return key.kind(value)
    if key.kind is bool:
        if not isinstance(value, bool):
            raise wrong("true or false")
        return value
    if key.kind in (int, float):
        return _number(key, value, wrong)
    if isinstance(key.default, tuple):
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise wrong("a list of texts, not empty")
        return tuple(value)
    texts = value.values() if isinstance(key.default, Mapping) and isinstance(value, dict) else [value]
    if isinstance(key.default, Mapping) != isinstance(value, dict) or not all(
        isinstance(t, str) for t in texts
    ):
        raise wrong("a table of texts" if isinstance(key.default, Mapping) else "a text")
    if isinstance(key.check, Url) and not all(is_acceptable_url(text) for text in texts):
        raise wrong("https://… (http only on this machine)")
    return types.MappingProxyType(dict(value)) if isinstance(value, dict) else value


def _number(key: _Key, value: Any, wrong: Callable[[str], RequestError]) -> Any:
    whole = key.kind is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise wrong("a whole number" if whole else "a number")
    if isinstance(key.check, Range) and not key.check.least <= value <= key.check.most:
        raise wrong(f"between {key.check.least:g} and {key.check.most:g}")
    return key.kind(value)
