"""`daemon.doctor`: looks at what is usually wrong, and says how to repair it.

Each check is a function that returns one finding and never fails itself. Nothing is
changed by looking.
"""

import shutil
import stat
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import trio

from kezd.api.types import Check
from kezd.daemon.open_profile import OpenProfile
from kezd.errors import AccessError, KezdError
from kezd.net.home.http import Http
from kezd.rpc.ports import ProfileState
from kezd.runtime.clock import Clock
from kezd.runtime.config import Config
from kezd.runtime.logs import FILE_BYTES, FILES_KEPT
from kezd.runtime.paths import Paths
from kezd.runtime.settings import VaultSource
from kezd.runtime.transport import LinkState
from kezd.store.database import Transaction
from kezd.store.vault import Vault, WrapKind

MIB: Final = 1024 * 1024
DISK_ROOM: Final = 200 * MIB
CLOCK_TOLERANCE: Final = 120.0
"""Seconds; a home refuses registrations dated further off than five minutes."""
HOME_SECONDS: Final = 5.0
CHECKED_BYTES: Final = 128 * MIB
"""Largest database that is looked through: below a second."""
HOLDERS: Final = {
    WrapKind.KEYRING: "the system's keyring",
    WrapKind.CREDENTIAL: "a systemd credential",
    WrapKind.PASSPHRASE: "a passphrase",
}


async def examine(
    paths: Paths,
    config: Config,
    state: ProfileState,
    trouble: KezdError | None,
    opened: OpenProfile | None,
    vault: Vault,
    clock: Clock,
    version: str,
) -> list[Check]:
    """Every check, the cheap ones first."""
    checks = await trio.to_thread.run_sync(_files, paths)
    checks.append(_vault(state, trouble, vault.kind))
    checks += await _keyring(state, vault, config)
    if opened is not None:
        checks.append(await _database(opened))
    url = config.home.url
    if opened is not None:
        url = (await opened.identity.show()).home_url or url
    checks += await _home(url, clock, version)
    if opened is not None:
        identity = await _identity(opened)
        checks.append(identity)
        if identity.ok:  # without an active identity there is no link, and that is no matter of the network
            checks.append(_link(opened))
    return checks


def _files(paths: Paths) -> list[Check]:
    return [
        _socket(paths.socket),
        *map(_private, (paths.data, paths.state, paths.runtime)),
        _disk(paths.data),
        _log(paths.log_file),
    ]


def _socket(path: Path) -> Check:
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
    except OSError as error:
        return Check(
            name="socket",
            ok=False,
            found=f"{path}: {error.strerror}",
            fix="somebody removed it; stop kezd and start it again",
        )
    fine = mode & 0o177 == 0
    return Check(
        name="socket", ok=fine, found=f"{path} has mode {mode:04o}", fix="" if fine else f"chmod 600 {path}"
    )


def _private(directory: Path) -> Check:
    try:
        mode = stat.S_IMODE(directory.lstat().st_mode)
    except OSError as error:
        return Check(name="permissions", ok=False, found=f"{directory}: {error.strerror}", fix="restart kezd")
    fine = mode & 0o077 == 0
    return Check(
        name="permissions",
        ok=fine,
        found=f"{directory} has mode {mode:04o}",
        fix="" if fine else f"chmod 700 {directory}",
    )


def _disk(directory: Path) -> Check:
    free = shutil.disk_usage(directory).free
    fine = free >= DISK_ROOM
    return Check(
        name="disk",
        ok=fine,
        found=f"{free // MIB} MiB free for {directory}",
        fix="" if fine else f"make room: kezd wants {DISK_ROOM // MIB} MiB",
    )


def _log(path: Path) -> Check:
    files = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, FILES_KEPT + 1))]
    size = sum(file.stat().st_size for file in files if file.exists())
    fine = size <= 2 * (FILES_KEPT + 1) * FILE_BYTES
    return Check(
        name="log",
        ok=fine,
        found=f"{size / MIB:.1f} MiB in {path.parent}",
        fix="" if fine else f"it should rotate; move {path} away and restart kezd",
    )


async def _keyring(state: ProfileState, vault: Vault, config: Config) -> list[Check]:
    """Whether the keyring answers, where it holds this vault's key or would hold a new one's."""
    wanted = config.vault.source in (VaultSource.AUTO, VaultSource.KEYRING)
    if vault.kind is not WrapKind.KEYRING and not (state is ProfileState.EMPTY and wanted):
        return []
    try:
        await vault.ask_keyring()
    except AccessError as error:
        needed = vault.kind is WrapKind.KEYRING or config.vault.source is VaultSource.KEYRING
        found = error.message if needed else f"{error.message}; a passphrase will hold the key instead"
        return [Check(name="keyring", ok=not needed, found=found, fix=error.hint if needed else "")]
    return [Check(name="keyring", ok=True, found="answers, and is open")]


async def _database(opened: OpenProfile) -> Check:
    """Its structure, as far as that takes no more than a moment."""

    def look(tx: Transaction) -> str:
        bytes_used = 1
        for pragma in ("PRAGMA page_count", "PRAGMA page_size"):
            [value] = tx.one(pragma) or (0,)
            bytes_used *= int(value)  # SQLCipher answers one of them as a text
        if bytes_used > CHECKED_BYTES:
            return f"{bytes_used // MIB} MiB, too large to look through while it is used"
        [found] = tx.one("PRAGMA quick_check(1)") or ("no answer",)
        return f"{bytes_used / MIB:.1f} MiB, sound" if found == "ok" else f"DAMAGED: {found}"

    found = await opened.db.read(look)
    fine = not found.startswith("DAMAGED")
    fix = "" if fine else "kez backup create FILE while it still answers, then restore into a new profile"
    return Check(name="database", ok=fine, found=found, fix=fix)


def _vault(state: ProfileState, trouble: KezdError | None, kind: WrapKind | None) -> Check:
    match state:
        case ProfileState.OPEN:
            held = "?" if kind is None else HOLDERS[kind]
            return Check(name="vault", ok=True, found=f"open, its key is held by {held}")
        case ProfileState.EMPTY:
            return Check(
                name="vault",
                ok=False,
                found="there is none yet",
                fix="kez register HANDLE, or kez restore",
            )
        case ProfileState.LOCKED:
            why = "a passphrase is needed" if trouble is None else trouble.message
            hint = "" if trouble is None else trouble.hint
            return Check(name="vault", ok=False, found=f"locked: {why}", fix=hint or "kez unlock")


async def _home(url: str, clock: Clock, version: str) -> list[Check]:
    """Whether the home answers, and how far its clock is from ours."""
    began = clock.monotonic()
    try:
        async with Http.open(user_agent=f"kezd/{version}", seconds=HOME_SECONDS) as http:
            answer = await http.exchange("GET", f"{url.rstrip('/')}/v1/server", max_bytes=64 * 1024)
    except KezdError as error:
        return [
            Check(
                name="home",
                ok=False,
                found=f"{url}: {error.message}",
                fix="check the network, and home.url in `kezd config`",
            )
        ]
    took = clock.monotonic() - began
    fine = answer.status == 200
    home = Check(
        name="home",
        ok=fine,
        found=f"{url} answered {answer.status} after {took * 1000:.0f} ms",
        fix="" if fine else "is home.url in `kezd config` the URL of a home server?",
    )
    return [home, *_clock(answer.headers.get("date", ""), clock.now())]


def _clock(date: str, now: float) -> list[Check]:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return []
    off = now - theirs
    fine = abs(off) <= CLOCK_TOLERANCE
    return [
        Check(
            name="clock",
            ok=fine,
            found=f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the home server's",
            fix="" if fine else "set this machine's clock: timedatectl set-ntp true",
        )
    ]


async def _identity(opened: OpenProfile) -> Check:
    shown = await opened.identity.show()
    fixes = {
        "none": "kez register HANDLE, or kez restore",
        "unconfirmed": "kez register HANDLE goes on where it stopped",
        "unregistered": "kez register HANDLE",
        "active": "",
        "superseded": "to take the identity back to this machine: kez restore --takeover",
    }
    found = f"{shown.handle} is {shown.state}" if shown.handle else shown.state
    return Check(name="identity", ok=shown.state == "active", found=found, fix=fixes[shown.state])


def _link(opened: OpenProfile) -> Check:
    status = opened.link()
    fixes = {
        LinkState.ONLINE: "",
        LinkState.CONNECTING: "wait a moment and look again",
        LinkState.OFFLINE: "check the network; kezd tries again by itself",
        LinkState.REFUSED: "the home does not know this key: kez whoami, and ask its operator",
        LinkState.SUPERSEDED: "kez restore --takeover",
    }
    found = status.state.value + (f": {status.last_error}" if status.last_error else "")
    return Check(name="link", ok=status.state is LinkState.ONLINE, found=found, fix=fixes[status.state])
