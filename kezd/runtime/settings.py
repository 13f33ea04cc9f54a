"""The schema of the configuration: one frozen dataclass for each section.

Field names, types, defaults, meanings and bounds are here and nowhere else; reading the
sources is `kezd.runtime.config`. Names ending in `_s` are seconds.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

DAYS = 24 * 3600
MIB = 1024 * 1024


class VaultSource(StrEnum):
    """What the vault's key may come from."""

    AUTO = "auto"
    """Keyring, else systemd credential, else passphrase."""
    KEYRING = "keyring"
    CREDENTIAL = "credential"
    PASSPHRASE = "passphrase"


class LogLevel(StrEnum):
    """Least level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Url:
    """The texts are URLs that a home may be asked at."""


Check = Range | Url | None


def no_entries() -> Mapping[str, Any]:
    """An empty table that nobody can fill."""
    return types.MappingProxyType({})


def _doc(text: str, check: Check = None) -> dict[str, Any]:
    return {"doc": text, "check": check}


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings:
    """The section [home]."""

    url: str = field(
        default="https://kez.lat", metadata=_doc("the home server that handles are registered at", Url())
    )
    servers: Mapping[str, str] = field(
        default_factory=no_entries,
        metadata=_doc("URLs of the homes of other servers, when not https://<server>", Url()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """The section [vault]."""

    source: VaultSource = field(default=VaultSource.AUTO, metadata=_doc("where a new vault's key comes from"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """The section [chat]."""

    read_receipts: bool = field(default=True, metadata=_doc("tell accepted contacts what was read"))
    republish_after_s: float = field(
        default=13 * DAYS,
        metadata=_doc("send again what has no delivered receipt after this long", Range(1, 60 * DAYS)),
    )
    expire_after_s: float = field(
        default=90 * DAYS, metadata=_doc("give up on a message after this long", Range(1, 3650 * DAYS))
    )
    retry_base_s: float = field(
        default=1.0, metadata=_doc("first delay before sending is tried again", Range(0.01, 3600))
    )
    retry_ceiling_s: float = field(
        default=300.0, metadata=_doc("longest delay between two attempts", Range(0.01, 1 * DAYS))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactsSettings:
    """The section [contacts]."""

    recheck_s: float = field(
        default=6 * 3600, metadata=_doc("how often a contact's chain is looked at again", Range(1, 60 * DAYS))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsSettings:
    """The section [channels]: where proofs are looked for and published, and how often. Asked only on demand."""

    github_api: str = field(default="https://api.github.com", metadata=_doc("GitHub's REST API", Url()))
    github_raw: str = field(
        default="https://raw.githubusercontent.com", metadata=_doc("GitHub's raw files", Url())
    )
    bluesky_appview: str = field(
        default="https://public.api.bsky.app", metadata=_doc("the AppView that posts are read from", Url())
    )
    bluesky_pds: str = field(
        default="https://bsky.social", metadata=_doc("the server that posts are written to", Url())
    )
    ap_base: str = field(
        default="https://{host}", metadata=_doc("URL of an ActivityPub host, with {host} for its name")
    )
    web_base: str = field(
        default="https://{domain}", metadata=_doc("URL of a web site, with {domain} for its name")
    )
    nostr_relays: tuple[str, ...] = field(
        default=("wss://relay.damus.io", "wss://nos.lol", "wss://relay.nostr.band"),
        metadata=_doc("relays that nostr proofs are read from and written to"),
    )
    nameservers: tuple[str, ...] = field(
        default=(), metadata=_doc("addresses that are asked for TXT records; the machine's own when empty")
    )
    nameserver_port: int = field(default=53, metadata=_doc("port of those nameservers", Range(1, 65535)))
    allow_networks: tuple[str, ...] = field(
        default=(), metadata=_doc("private networks that a proof may be fetched from, as 192.168.1.0/24")
    )
    fresh_s: float = field(
        default=3600.0,
        metadata=_doc("how old a check may be that is shown without a new one", Range(0, 60 * DAYS)),
    )
    recheck_s: float = field(
        default=24 * 3600.0,
        metadata=_doc(
            "how often one's own claims and followed people are looked at again", Range(1, 60 * DAYS)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsSettings:
    """The section [events]: how much of the event log is kept for programs that were away."""

    keep_count: int = field(
        default=200_000,
        metadata=_doc("events kept; more while a named consumer has not acknowledged them", Range(1, 10**9)),
    )
    keep_days: float = field(
        default=90.0, metadata=_doc("days that an event is kept, whoever waits for it", Range(0.001, 36_500))
    )
    keep_mb: int = field(
        default=256, metadata=_doc("MiB of events kept, whoever waits for them", Range(1, 1_000_000))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSettings:
    """The section [rpc]."""

    line_bytes: int = field(default=4 * MIB, metadata=_doc("longest request line", Range(1024, 64 * MIB)))
    batch: int = field(default=100, metadata=_doc("most calls in one batch", Range(1, 10_000)))
    calls_in_flight: int = field(
        default=64, metadata=_doc("most calls at once on a connection", Range(1, 10_000))
    )
    connections: int = field(default=32, metadata=_doc("most connections at once", Range(1, 10_000)))
    confirm_s: float = field(
        default=60.0, metadata=_doc("how long a call waits for a person's yes", Range(1, 3600))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The section [log]."""

    level: LogLevel = field(default=LogLevel.INFO, metadata=_doc("least level that is logged"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesSettings:
    """The section [profiles]."""

    names: tuple[str, ...] = field(default=("default",), metadata=_doc("profiles that this peer opens"))
