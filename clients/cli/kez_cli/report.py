"""report: a bundle for whoever helps; shown first, redacted, and sent nowhere."""

import argparse
import io
import os
import platform
import tarfile
import time
from pathlib import Path

from kez_cli.command import Command
from kez_cli.context import Context
from kez_cli.doctor import examine
from kez_cli.service import unit_states
from kez_cli.terminal import show
from kez_cli.units import places
from kezd import __version__
from kezd.client.redaction import redact_log, scrub
from kezd.errors import KezdError, RequestError, Slug, UnavailableError

LOG_BYTES = 256 * 1024
UNIT_FIELDS = ("LoadState", "UnitFileState", "ActiveState", "SubState", "NRestarts", "Result")


def report(context: Context) -> int:
    """Collect, show, ask, write."""
    sections = collect(context)
    if context.options.show:
        for name, text in sections.items():
            context.terminal.line(context.terminal.strong(f"== {name}"))
            context.terminal.line(show(text, lines=True))
        return 0
    path = context.options.out or time.strftime("kezd-report-%Y%m%d-%H%M%S.tar.gz")
    if context.json:
        if context.options.yes:
            _write(path, sections)
        sizes = {name: len(text.encode()) for name, text in sections.items()}
        context.print_json({"sections": sizes, "path": path if context.options.yes else None})
        return 0
    context.terminal.line("The report holds, without names, keys, texts and addresses:")
    for name, text in sections.items():
        context.terminal.line(f"  {name + '.txt':<16} {len(text.encode()):>7} bytes")
    context.terminal.line(
        "kez report --show prints all of it. It is sent nowhere; you decide who gets the file."
    )
    if not context.options.yes:
        if not context.interactive():
            raise RequestError(
                Slug.INVALID_ARGUMENT, "nobody can be asked here", hint="kez report --yes writes it"
            )
        if input(f"Write {path}? [y/N] ").strip().lower() not in ("y", "yes"):
            context.terminal.line("nothing was written")
            return 1
    _write(path, sections)
    context.terminal.line(f"wrote {show(path)}")
    return 0


def collect(context: Context) -> dict[str, str]:
    """The sections: the daemon's own where it answers, else what can be seen from outside."""
    sections = {"client": f"kez {__version__}\npython {platform.python_version()}\n", "service": _service()}
    try:
        with context.connect() as client:
            rows = client.call("daemon.report")["sections"]
    except UnavailableError as error:
        if error.slug is not Slug.NOT_RUNNING:
            raise
        checks = examine(context)
        sections["doctor"] = "".join(
            f"{'ok ' if c['ok'] else 'BAD'} {c['name']:<12} {scrub(str(c['found']))}\n"
            for c in checks
            if c["name"] != "last words"
        )
        sections["log"] = _log()
        return sections
    return {**sections, **{str(row["name"]): str(row["text"]) for row in rows}}


def _service() -> str:
    try:
        units = unit_states()
    except KezdError as error:
        return f"{error.slug.value}\n"
    lines = [
        f"{name} " + " ".join(f"{field}={unit.get(field, '')}" for field in UNIT_FIELDS)
        for name, unit in units.items()
    ]
    return "\n".join(lines) + "\n"


def _log() -> str:
    path = Path(places(os.environ).log)
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return redact_log(file.read().decode(errors="replace").splitlines())
    except OSError as error:
        return f"unreadable: {error.errno}\n"


def _write(path: str, sections: dict[str, str]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as bundle:
        for name, text in sections.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"kezd-report/{name}.txt")  # no owner, no time of this machine
            entry.size = len(data)
            bundle.addfile(entry, io.BytesIO(data))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(packed.getvalue())
    except FileExistsError as error:
        raise RequestError(Slug.FILE_EXISTS, f"{path} is there already") from error
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot write {path}: {error.strerror}") from error


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FILE", help="the bundle (default: kezd-report-DATE.tar.gz here)")
    parser.add_argument(
        "--show", action="store_true", help="print everything that would be in it, write nothing"
    )
    parser.add_argument("--yes", action="store_true", help="write it without asking")


COMMANDS = (
    Command(
        "report",
        report,
        "a redacted bundle to show to whoever helps; it is sent nowhere",
        "  kez report --show | less\n  kez report --out report.tar.gz",
        _arguments,
    ),
)
