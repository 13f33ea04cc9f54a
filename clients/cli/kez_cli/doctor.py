"""doctor: what kezd finds wrong with itself, and what can be seen from outside, also when it is down."""

import json
import os
import stat
import subprocess
from pathlib import Path

from kez_cli.command import Command, no_arguments
from kez_cli.context import Context, Json
from kez_cli.service import kezd_program, unit_states
from kez_cli.terminal import show
from kez_cli.units import SERVICE, SOCKET, places
from kezd import __version__
from kezd.client.sync import Client
from kezd.client.wire import socket_path
from kezd.errors import AccessError, KezdError, Slug, UnavailableError

LINGER = Path("/var/lib/systemd/linger")
CONFIG_SECONDS = 20
LAST_LINES = 3
LOG_TAIL = 4096


def doctor(context: Context) -> int:
    """Look for what is wrong; exit code 1 when something is."""
    checks = examine(context)
    if context.json:
        context.print_json({"checks": checks})
    else:
        terminal = context.terminal
        for check in checks:
            mark = terminal.good("ok ") if check["ok"] else terminal.bad("BAD")
            terminal.line(f"{mark} {check['name']:<12} {show(check['found'])}")
            if not check["ok"] and check.get("fix"):
                terminal.line(f"    fix: {show(check['fix'])}")
    return 0 if all(check["ok"] for check in checks) else 1


def examine(context: Context) -> list[Json]:
    """Every check: of the daemon when it answers, of what it left behind when it does not."""
    try:
        with context.connect() as client:
            checks = [_version(client), *client.call("daemon.doctor")["checks"], *_others(context, client)]
    except UnavailableError as error:
        if error.slug is not Slug.NOT_RUNNING:
            raise
        daemon = _check("daemon", error.message, error.hint, ok=False)
        checks = [daemon, *_runtime(Path(socket_path(os.environ))), *_last_words(), _config()]
    return [*checks, *_service()]


def _check(name: str, found: str, fix: str = "", *, ok: bool) -> Json:
    return {"name": name, "ok": ok, "found": found, "fix": "" if ok else fix}


def _version(client: Client) -> Json:
    running = str(client.call("daemon.version")["version"])
    return _check(
        "version",
        f"kezd {running}, kez {__version__}",
        "restart kezd: systemctl --user restart kezd",
        ok=running == __version__,
    )


def _others(context: Context, client: Client) -> list[Json]:
    """The profiles that this call is not about."""
    try:
        items = client.call("profiles.list")["items"]
    except AccessError:  # a token for one profile sees no other
        return []
    return [
        _check(
            "profile",
            f"{item['name']} is {item['state']}",
            f"kez doctor --profile {item['name']}",
            ok=item["state"] != "locked",
        )
        for item in items
        if item["name"] != context.options.profile
    ]


def _runtime(socket: Path) -> list[Json]:
    directory = socket.parent
    if not directory.exists():
        return [_check("socket", f"there is no {directory}: kezd has not run since the login", ok=True)]
    mode = stat.S_IMODE(directory.lstat().st_mode)
    checks = [
        _check(
            "permissions", f"{directory} has mode {mode:04o}", f"chmod 700 {directory}", ok=mode & 0o077 == 0
        )
    ]
    if os.path.lexists(socket):
        checks.append(
            _check("socket", f"{socket} is left from an earlier kezd; the next one replaces it", ok=True)
        )
    return checks


def _last_words() -> list[Json]:
    log = Path(places(os.environ).log)
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [_check("last words", line, ok="level=error" not in line and "level=critical" not in line,
                   fix="kez service logs") for line in lines[-LAST_LINES:]]  # fmt: skip


def _config() -> Json:
    """Whether the configuration can be read: kezd itself says so."""
    try:
        command = [kezd_program(), "config", "--json"]
        done = subprocess.run(  # noqa: S603 - the program beside us
            command, capture_output=True, text=True, timeout=CONFIG_SECONDS, check=False
        )
    except (KezdError, OSError, subprocess.TimeoutExpired) as error:
        return _check("config", f"kezd does not start: {error}", "install kezd again", ok=False)
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["no answer"]
        fix = told[1].strip() if len(told) > 1 else "mend that line of the file"
        return _check("config", told[0].removeprefix("kezd: "), fix, ok=False)
    path = json.loads(done.stdout)["paths"]["config"]
    return _check(
        "config", f"{path} {'is sound' if Path(path).exists() else 'is not there: all defaults'}", ok=True
    )


def _service() -> list[Json]:
    """The unit, and whether it outlives the login; no finding where there is no service manager."""
    try:
        units = unit_states()
    except UnavailableError:
        return []
    checks = []
    for name in (SERVICE, SOCKET):
        unit = units[name]
        if unit.get("LoadState") == "loaded":
            enabled = unit.get("UnitFileState") or "not enabled"
            checks.append(
                _check(
                    "service",
                    f"{name} is {unit.get('ActiveState')}, {enabled}",
                    "kez service logs; then: systemctl --user reset-failed kezd && systemctl --user start kezd",
                    ok=unit.get("ActiveState") != "failed",
                )
            )
    if not checks:
        return [_check("service", "not installed; kez service install starts kezd at login", ok=True)]
    lingers = (LINGER / os.environ.get("USER", "?")).exists()
    told = (
        "it runs while you are not logged in"
        if lingers
        else "it stops at logout (kez service install --linger)"
    )
    return [*checks, _check("linger", told, ok=True)]


COMMANDS = (
    Command(
        "doctor",
        doctor,
        "look for what is wrong, with a fix for each finding",
        "  kez doctor\n  kez doctor --json --profile work",
        no_arguments,
    ),
)
