"""`daemon.*`: the peer about itself."""

import platform

from kezd.api import types as t
from kezd.api.methods import API_VERSION
from kezd.rpc.dispatch import Handler
from kezd.rpc.session import Session


async def version(session: Session, _params: t.Empty) -> t.VersionResult:
    """Versions; allowed to everybody who may connect."""
    return t.VersionResult(version=session.peer.version, api=API_VERSION, python=platform.python_version())


async def health(session: Session, _params: t.Empty) -> t.HealthResult:
    """State of each link."""
    return await session.profile.health()


async def doctor(session: Session, _params: t.Empty) -> t.DoctorResult:
    """Every check, with a fix for each that fails."""
    return await session.profile.doctor()


async def report(session: Session, _params: t.Empty) -> t.ReportResult:
    """A redacted account of this peer."""
    return await session.profile.report()


async def shutdown(session: Session, _params: t.Empty) -> t.Done:
    """Begin a clean stop; the answer leaves first."""
    session.peer.stop()
    return t.Done()


HANDLERS: dict[str, Handler] = {
    "daemon.version": version,
    "daemon.health": health,
    "daemon.doctor": doctor,
    "daemon.report": report,
    "daemon.shutdown": shutdown,
}
