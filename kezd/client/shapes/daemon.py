"""Shapes of `daemon`.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from typing import NotRequired, TypedDict


class Check(TypedDict):
    """One check of `kez doctor`."""

    name: str
    ok: bool
    found: str
    fix: NotRequired[str]


class DoctorResult(TypedDict):
    """All checks."""

    checks: list[Check]


class LinkHealth(TypedDict):
    """One link: `home`, `nats`, `store`."""

    name: str
    state: str
    since: NotRequired[int | None]
    last_received_age_ms: NotRequired[int | None]
    queue: NotRequired[int]
    last_error: NotRequired[str | None]


class HealthResult(TypedDict):
    """How the peer is."""

    state: str
    links: list[LinkHealth]
    pid: int
    uptime_ms: int
    dropped: dict[str, int]
    """Hostile or broken input dropped since the database began, by cause."""


class ReportSection(TypedDict):
    """One part of a report, redacted."""

    name: str
    text: str


class ReportResult(TypedDict):
    """What a maintainer needs to know, without names, keys, texts or addresses."""

    sections: list[ReportSection]


class VersionResult(TypedDict):
    """Versions."""

    version: str
    api: int
    python: str
