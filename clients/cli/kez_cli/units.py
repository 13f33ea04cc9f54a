"""The unit files as `kez service install` writes them: templates out of the package, paths filled in.

Texts in, texts out; nothing is run here. Invariant: a file that we write names the hash of its own
rest, so that one which somebody edited by hand is known and left alone.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

SERVICE = "kezd.service"
SOCKET = "kezd.socket"
AGENT = "lat.kez.kezd"
MARK = "# Made by kez service install; changed by hand it is left alone. sha256 "


class Places(NamedTuple):
    """What this environment's kezd uses (the same rules as `kezd.runtime.paths`)."""

    home: str
    """KEZD_HOME, or empty for the XDG directories."""
    data: str
    state: str

    @property
    def log(self) -> str:
        """Where the log is when there is no journal."""
        return f"{self.state}/kezd.log"


def places(environ: Mapping[str, str]) -> Places:
    """Where things are in this environment."""
    user = environ.get("HOME") or str(Path("~").expanduser())
    if environ.get("KEZD_HOME"):
        base = str(Path(environ["KEZD_HOME"]).expanduser().absolute())
        return Places(base, f"{base}/data", f"{base}/state")
    data, state = environ.get("XDG_DATA_HOME", ""), environ.get("XDG_STATE_HOME", "")
    return Places(
        "",
        f"{data if data[:1] == '/' else user + '/.local/share'}/kezd",
        f"{state if state[:1] == '/' else user + '/.local/state'}/kezd",
    )


def template(kind: str, name: str) -> str:
    """A file as it is shipped: from the package, or from the tree that an editable install runs in."""
    packed = resources.files("kez_cli") / "units" / kind / name
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    tree = Path(__file__).parents[3]
    folder = tree / "systemd" / kind if kind != "launchd" else tree / "deploy" / "launchd"
    return (folder / name).read_text(encoding="utf-8")


def service_unit(kezd: str, where: Places, environ: Mapping[str, str], writable: Sequence[str]) -> str:
    """kezd.service for this installation.

    Args:
        kezd: absolute path of the program.
        where: its directories.
        environ: for the XDG variables that the service has to see, too.
        writable: more directories that it may write to.
    """
    own = [where.home] if where.home else [where.data, where.state]
    lines = []
    for line in template("user", SERVICE).splitlines():
        if line.startswith("ExecStart="):
            lines += [f"Environment={_quote(f'{n}={v}')}" for n, v in _variables(where, environ)]
            lines.append(f"ExecStart={_quote(kezd)}")
        elif line.startswith("ExecStartPre="):
            runtime = [] if where.home else ["%t/kezd"]
            made = " ".join([*map(_quote, own), *runtime])
            lines.append(f"ExecStartPre=+mkdir -p -m 0700 {made}")
        elif line.startswith("ReadWritePaths="):
            lines.append(f"ReadWritePaths={' '.join(map(_quote, [*own, *writable]))}")
        elif line.startswith("BindPaths=") and where.home:
            continue
        else:
            lines.append(line)
    return signed("\n".join(lines) + "\n")


def socket_unit(where: Places) -> str:
    """kezd.socket for this installation."""
    text = template("user", SOCKET)
    if where.home:
        text = text.replace(
            "ListenStream=%t/kezd/kezd.sock", f"ListenStream={_percent(where.home)}/run/kezd.sock"
        )
    return signed(text)


def agent(kezd: str, where: Places) -> str:
    """The launchd agent."""
    text = template("launchd", f"{AGENT}.plist")
    return text.replace("@KEZD@", _xml(kezd)).replace("@LOG@", _xml(f"{where.state}/launchd.log"))


def signed(text: str) -> str:
    """The text under a line that names its hash."""
    return f"{MARK}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def is_ours(text: str) -> bool:
    """Whether we wrote this and nobody changed it since."""
    first, _, rest = text.partition("\n")
    return first.startswith(MARK) and signed(rest) == text


def _variables(where: Places, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    if where.home:
        return [("KEZD_HOME", where.home)]
    names = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    return [(name, environ[name]) for name in names if os.path.isabs(environ.get(name, ""))]  # noqa: PTH117


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _quote(text: str) -> str:
    """One word of a unit file (systemd.syntax(7)), specifiers switched off."""
    text = _percent(text)
    if any(c in text for c in " \t\"'\\;$"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
        return f'"{escaped}"'
    return text


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
