"""Rows of `daemon.*`."""

from kezd.api import types as t
from kezd.api.methods.row import Method, Scope

METHODS = (
    Method("daemon.version", t.Empty, t.VersionResult, Scope.READ, "Versions of daemon and API.", bare=True),
    Method("daemon.health", t.Empty, t.HealthResult, Scope.READ, "State of each link, and what was dropped."),
    Method(
        "daemon.doctor",
        t.Empty,
        t.DoctorResult,
        Scope.READ,
        "Look for what is wrong, with a fix for each finding.",
    ),
    Method(
        "daemon.report",
        t.Empty,
        t.ReportResult,
        Scope.FULL,
        "A redacted account of this peer to show to a maintainer; it is sent nowhere.",
    ),
    Method("daemon.shutdown", t.Empty, t.Done, Scope.FULL, "Stop the daemon cleanly."),
)
