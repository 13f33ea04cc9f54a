"""`daemon.report`: what a maintainer needs to know of this peer, and nothing of the person.

Sections of text, each redacted here, before it leaves the daemon. Nothing is sent anywhere.
"""

import platform
import sys
from typing import Final

import msgspec
import trio

from kezd.api.types import DoctorResult, HealthResult, ReportResult, ReportSection
from kezd.client.redaction import redact_log, scrub
from kezd.daemon.open_profile import OpenProfile
from kezd.runtime.config import Config, explain
from kezd.runtime.paths import Paths
from kezd.store.census import count_rows, known_names, schema_version
from kezd.store.migrations import MIGRATIONS

LOG_LINES: Final = 400
LOG_BYTES: Final = 256 * 1024
PLAIN: Final = frozenset({"true", "false", "auto", "keyring", "credential", "passphrase", "debug", "info"})


async def compile_report(
    paths: Paths,
    config: Config,
    opened: OpenProfile | None,
    health: HealthResult,
    doctor: DoctorResult,
    version: str,
) -> ReportResult:
    """Every section, redacted."""
    private: set[str] = set()
    stored = f"knows schema {len(MIGRATIONS)}; the profile is not open\n"
    if opened is not None:
        private, counts, schema = await opened.db.read(
            lambda tx: (known_names(tx), count_rows(tx), schema_version(tx))
        )
        rows = "".join(f"{name:<24} {number}\n" for name, number in counts.items())
        stored = f"schema {schema}, knows {len(MIGRATIONS)}\n{rows}"
    log = await trio.to_thread.run_sync(_tail, paths)
    texts = {
        "versions": f"kezd {version}\npython {platform.python_version()}\nsystem {sys.platform}"
        f" {platform.release()} {platform.machine()}\nlibc {' '.join(platform.libc_ver())}\n",
        "health": _health(health, private),
        "doctor": _doctor(doctor, private),
        "config": _config(config),
        "database": stored,
        "log": redact_log(log),
    }
    return ReportResult(sections=[ReportSection(name=name, text=text) for name, text in texts.items()])


def _tail(paths: Paths) -> list[str]:
    try:
        with paths.log_file.open("rb") as file:
            file.seek(max(0, paths.log_file.stat().st_size - LOG_BYTES))
            return file.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    except OSError as error:
        return [f"level=error logger=kezd.daemon.report msg=unreadable code={error.errno}"]


def _health(health: HealthResult, private: set[str]) -> str:
    values = msgspec.to_builtins(health)
    for link in values["links"]:
        if link["last_error"]:
            link["last_error"] = scrub(link["last_error"], private)
    return msgspec.json.format(msgspec.json.encode(values), indent=2).decode() + "\n"


def _doctor(doctor: DoctorResult, private: set[str]) -> str:
    return "".join(
        f"{'ok ' if check.ok else 'BAD'} {check.name:<12} {scrub(check.found, private)}\n"
        for check in doctor.checks
    )


def _config(config: Config) -> str:
    """Each setting: numbers and words of ours as they are, of a text only that it was set."""
    lines = []
    for row in explain(config):
        kind = row.origin.split(" ")[0] if row.origin.startswith(("env", "flag")) else row.origin
        kind = kind if kind in ("env", "flag", "default") else "file"
        plain = kind == "default" or row.value in PLAIN or row.value.replace(".", "", 1).isdigit()
        lines.append(f"{row.name:<28} {scrub(row.value) if plain else '<set>'} ({kind})\n")
    return "".join(lines)
