"""`daemon.*`: the peer about itself."""

from kezd.api.types.base import Result


class VersionResult(Result, frozen=True, kw_only=True):
    """Versions."""

    version: str
    api: int
    python: str


class LinkHealth(Result, frozen=True, kw_only=True):
    """One link: `home`, `nats`, `store`."""

    name: str
    state: str
    since: int | None = None
    last_received_age_ms: int | None = None
    queue: int = 0
    last_error: str | None = None


class HealthResult(Result, frozen=True, kw_only=True):
    """How the peer is."""

    state: str
    links: list[LinkHealth]
    pid: int
    uptime_ms: int
    dropped: dict[str, int]
    """Hostile or broken input dropped since the database began, by cause."""


class Check(Result, frozen=True, kw_only=True):
    """One check of `kez doctor`."""

    name: str
    ok: bool
    found: str
    fix: str = ""


class ReportSection(Result, frozen=True, kw_only=True):
    """One part of a report, redacted."""

    name: str
    text: str


class ReportResult(Result, frozen=True, kw_only=True):
    """What a maintainer needs to know, without names, keys, texts or addresses."""

    sections: list[ReportSection]


class DoctorResult(Result, frozen=True, kw_only=True):
    """All checks."""

    checks: list[Check]
