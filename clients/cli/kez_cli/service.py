"""service: kezd as a service of the person logged in, under systemd or launchd.

Says what it did and how to undo it. Never touches a unit that somebody edited, unless told to.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.terminal import note, show
from kez_cli.units import AGENT, SERVICE, SOCKET, agent, is_ours, places, service_unit, socket_unit
from kezd.errors import KezdError, RequestError, Slug, StoreError, UnavailableError

SHOWN = (
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "MainPID",
    "NRestarts",
    "StatusText",
    "Result",
)
JOURNALS = ("/run/log/journal", "/var/log/journal")
DARWIN = "darwin"


def service(context: Context) -> int:
    """Run the sub-verb."""
    return int(context.options.verb(context))


def kezd_program() -> str:
    """The kezd that was installed together with this kez, as an absolute path.

    Raises:
        RequestError: `not_found`.
    """
    for folder in (Path(sys.argv[0]).absolute().parent, Path(sys.executable).parent):
        if os.access(folder / "kezd", os.X_OK):
            return str(folder / "kezd")
    found = shutil.which("kezd")
    if found is None:
        raise RequestError(
            Slug.NOT_FOUND, "there is no kezd beside this kez", hint="install both from one package"
        )
    return str(Path(found).absolute())


def unit_directory(context: Context) -> Path:
    """Where the units of a person are."""
    if context.options.unit_dir:
        return Path(context.options.unit_dir).expanduser().absolute()
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(config) if config[:1] == "/" else Path.home() / ".config") / "systemd" / "user"


def _run(*command: str, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - named by us
    except FileNotFoundError as error:
        raise UnavailableError(
            Slug.OFFLINE, f"there is no {command[0]} here", hint="run kezd yourself, in any way you like"
        ) from error
    if done.returncode and not may_fail:
        said = (done.stderr or done.stdout).strip()
        raise UnavailableError(
            Slug.OFFLINE, f"`{' '.join(command)}` failed: {said}", hint=f"try it by hand: {' '.join(command)}"
        )
    return done.stdout


def _systemctl(*arguments: str, may_fail: bool = False) -> str:
    return _run("systemctl", "--user", *arguments, may_fail=may_fail)


def _write(path: Path, text: str, *, force: bool) -> bool:
    """Write a unit; False when the very same is there already."""
    try:
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there == text:
            return False
        if there is not None and not is_ours(there) and not force:
            raise RequestError(
                Slug.FILE_EXISTS,
                f"{path} was not made by kez, or was edited since",
                hint="your changes belong into an override: systemctl --user edit kezd; or: --force",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(Slug.FILE_FAILED, f"cannot write {path}: {error.strerror}") from error
    return True


def _install(context: Context) -> int:
    if sys.platform == DARWIN:
        return _install_agent(context)
    options, where, kezd = context.options, places(os.environ), kezd_program()
    directory = unit_directory(context)
    writable = [str(Path(path).expanduser().absolute()) for path in options.write]
    units = {SERVICE: service_unit(kezd, where, os.environ, writable)}
    if options.socket:
        units[SOCKET] = socket_unit(where)
    changes_over = options.socket and not (directory / SOCKET).exists()
    done = []
    for name, text in units.items():
        written = _write(directory / name, text, force=options.force)
        done.append(f"{'wrote' if written else 'kept'} {directory / name}")
    _systemctl("daemon-reload")
    started = SOCKET if options.socket else SERVICE
    if changes_over:  # a running kezd has a socket of its own, and systemd's cannot be made beside it
        _systemctl("disable", "--now", SERVICE, may_fail=True)
    elif not options.socket and (directory / SOCKET).exists():
        _systemctl("disable", "--now", SOCKET, may_fail=True)
    _systemctl("enable", "--now", started)
    done.append(f"enabled and started {started}, which runs {kezd}")
    if options.linger:
        _run("loginctl", "enable-linger")
        done.append("enabled lingering: it runs while you are not logged in")
    return _told(context, done, "kez service uninstall")


def _told(context: Context, done: list[str], undo: str) -> int:
    if context.json:
        context.print_json({"done": done, "undo": undo})
        return 0
    for line in done:
        context.terminal.line(show(line))
    context.terminal.line(context.terminal.faint(f"to undo it: {undo}"))
    return 0


def _uninstall(context: Context) -> int:
    if sys.platform == DARWIN:
        return _uninstall_agent(context)
    directory, done = unit_directory(context), []
    for name in (SOCKET, SERVICE):
        path = directory / name
        if not path.exists():
            continue
        if not is_ours(path.read_text(encoding="utf-8")) and not context.options.force:
            raise RequestError(
                Slug.FILE_EXISTS,
                f"{path} was not made by kez, or was edited since",
                hint="remove it: --force",
            )
        _systemctl("disable", "--now", name, may_fail=True)
        path.unlink()
        done.append(f"stopped {name} and removed {path}")
    _systemctl("daemon-reload")
    done = done or [f"nothing was installed in {directory}"]
    done.append("your identity and messages stay where they are")
    return _told(context, done, "kez service install")


def _agent_path() -> Path:
    return Path.home() / "Library" / "LaunchAgents" / f"{AGENT}.plist"


def _install_agent(context: Context) -> int:
    path = _agent_path()
    text = agent(kezd_program(), places(os.environ))
    if path.exists() and path.read_text(encoding="utf-8") != text and not context.options.force:
        raise RequestError(Slug.FILE_EXISTS, f"{path} is there and differs", hint="replace it: --force")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    domain = f"gui/{os.getuid()}"
    _run("launchctl", "bootout", f"{domain}/{AGENT}", may_fail=True)
    _run("launchctl", "bootstrap", domain, str(path))
    return _told(context, [f"wrote {path}", f"started {AGENT}"], "kez service uninstall")


def _uninstall_agent(context: Context) -> int:
    path = _agent_path()
    _run("launchctl", "bootout", f"gui/{os.getuid()}/{AGENT}", may_fail=True)
    path.unlink(missing_ok=True)
    return _told(context, [f"stopped {AGENT} and removed {path}"], "kez service install")


def unit_states() -> dict[str, Json]:
    """What systemd says of our units.

    Raises:
        UnavailableError: no service manager answers.
    """
    found: dict[str, Json] = {}
    for name in (SERVICE, SOCKET):
        text = _systemctl("show", name, *(f"--property={p}" for p in SHOWN))
        found[name] = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return found


def _status(context: Context) -> int:
    if sys.platform == DARWIN:
        context.terminal.line(show(_run("launchctl", "print", f"gui/{os.getuid()}/{AGENT}"), lines=True))
        return 0
    units = unit_states()
    try:
        with context.connect() as client:
            health: Json | None = client.call("daemon.health")
    except KezdError:
        health = None
    if context.json:
        context.print_json({"units": units, "health": health})
        return 0 if health else 3
    terminal = context.terminal
    for name, unit in units.items():
        terminal.line(f"{terminal.strong(name)}  {_standing(unit)}")
        if unit.get("NRestarts", "0") != "0":
            terminal.line(f"  restarted {unit['NRestarts']} times; kez service logs")
        if unit.get("StatusText"):
            terminal.line(f"  {show(unit['StatusText'])}")
    if health is None:
        terminal.line(terminal.bad("no kezd answers: kez doctor"))
        return 3
    links = ", ".join(f"{link['name']} {link['state']}" for link in health["links"])
    terminal.line(f"kezd answers, pid {health['pid']}, {health['state']}" + (f": {links}" if links else ""))
    return 0


def _standing(unit: Json) -> str:
    if unit.get("LoadState") != "loaded":
        return "not installed"
    return f"{unit.get('ActiveState')} ({unit.get('SubState')}), {unit.get('UnitFileState') or 'not enabled'}"


def _logs(context: Context) -> int:
    options = context.options
    journal = shutil.which("journalctl") is not None and any(Path(path).is_dir() for path in JOURNALS)
    if journal and not os.environ.get("KEZD_HOME"):
        command = ["journalctl", "--user", "-u", "kezd", "--no-pager", "-n", str(options.lines)]
        command += ["-f"] if options.follow else []
    else:
        log = places(os.environ).log
        if not Path(log).exists():
            raise RequestError(Slug.NOT_FOUND, f"there is no log at {log}", hint="kez service status")
        command = ["tail", "-n", str(options.lines), *(["-F"] if options.follow else []), log]
        note(f"from {log}")
    return subprocess.run(command, check=False).returncode  # noqa: S603 - named by us


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=_status, unit_dir=None)
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")

    def where(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("--unit-dir", metavar="DIR", help="where the units go (default: systemd's own)")
        verb.add_argument("--force", action="store_true", help="also replace or remove an edited unit")

    install = verbs.add_parser("install", help="write the unit, enable and start it")
    install.add_argument("--socket", action="store_true", help="start at the first call instead of at login")
    install.add_argument("--linger", action="store_true", help="run while nobody is logged in, too")
    install.add_argument(
        "--write", metavar="DIR", action="append", default=[], help="let it write there, too (for backups)"
    )
    where(install)
    install.set_defaults(verb=_install)
    uninstall = verbs.add_parser("uninstall", help="stop it and remove the unit; your data stay")
    where(uninstall)
    uninstall.set_defaults(verb=_uninstall)
    verbs.add_parser("status", help="what the service manager and kezd say").set_defaults(verb=_status)
    logs = verbs.add_parser("logs", help="its log, from the journal or its file")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--lines", type=int, default=50, help="how many (default: 50)")
    logs.set_defaults(verb=_logs)


COMMANDS = (
    Command(
        "service",
        service,
        "kezd as a service of your login session",
        "  kez service install --socket\n  kez service logs -f\n  kez service uninstall",
        _arguments,
    ),
)
