"""`kezd`: the peer's program. Reads its arguments and environment, then runs the daemon.

Not here: what the daemon does (`app`). Exit codes are those of the error table; a bug
ends with its traceback and 70.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

from kezd import __version__
from kezd.daemon.adapters import Adapters
from kezd.daemon.config_command import print_config
from kezd.daemon.lifecycle import run_daemon
from kezd.errors import TABLE, KezdError, RequestError, Slug
from kezd.runtime.config import load
from kezd.runtime.logs import logging_to
from kezd.runtime.paths import Paths

log = logging.getLogger(__name__)

PASSPHRASE_BYTES = 4096
PASSPHRASE_HINT = (
    "--passphrase-file (or KEZD_PASSPHRASE_FILE) names a file whose first line is the passphrase"
)

DESCRIPTION = """\
kezd is your KEZ peer: one daemon that holds your identity, talks to your home
server and keeps your messages. It has no window; use `kez` to talk to it.

  kezd                   run in the foreground (as a systemd service: Type=notify)
  kezd config            show every setting, its value, and where the value comes from
  kezd version           show the version
"""

EPILOG = """\
settings, later ones win:
  defaults, then the file ~/.config/kezd/config.toml, then variables such as
  KEZD_HOME_URL=https://kez.lat, then flags: --set home.url=https://kez.lat

files:
  KEZD_HOME=DIR puts everything below DIR (config.toml, data, state, run).
  Without it the XDG directories are used; kezd config shows them.

a machine without a keyring:
  kezd --passphrase-file FILE opens (and makes) the vault with the first line of FILE.
  Under systemd, LoadCredentialEncrypted=kezd.passphrase does the same without a flag.

first steps:
  kezd &                 start it
  kez register alice     make an identity and register the handle
  kez add @bob           then: kez send @bob hello
"""


def main(
    arguments: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    adapters: Adapters | None = None,
) -> int:
    """Entry point; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        flags = _flags(options.set)
        environ = {**environ, "KEZD_HOME": options.home_dir} if options.home_dir else environ
        paths = Paths.from_environment(environ)
        if options.command == "version":
            return _print_version(as_json=options.json)
        config = load(environ, paths, flags)
        if options.command == "config":
            print_config(config, paths, as_json=options.json)
            return 0
        passphrase = _read_passphrase(options.passphrase_file or environ.get("KEZD_PASSPHRASE_FILE"))
        paths.create()
        journal = "JOURNAL_STREAM" in environ
        with logging_to(config.log.level, paths.log_file, journal=journal):
            return _run(lambda: run_daemon(config, paths, environ, adapters or Adapters(), passphrase))
    except KezdError as error:
        return _complain(error)


def _run(daemon: "object") -> int:
    try:
        trio.run(daemon, strict_exception_groups=True)  # type: ignore[arg-type]
    except KezdError as error:
        return _complain(error)
    except BaseExceptionGroup as group:
        known, unknown = group.split(KezdError)
        if known is not None and unknown is None:
            return _complain(_first(known))
        log.critical("a bug ended kezd", exc_info=group)
        return TABLE[Slug.INTERNAL].exit_code
    except Exception as error:
        log.critical("a bug ended kezd", exc_info=error)
        return TABLE[Slug.INTERNAL].exit_code
    return 0


def _first(group: BaseExceptionGroup[KezdError]) -> KezdError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _complain(error: KezdError) -> int:
    sys.stderr.write(f"kezd: {error.message}\n" + (f"  {error.hint}\n" if error.hint else ""))
    return error.exit_code


def build_parser() -> argparse.ArgumentParser:
    """The arguments of `kezd`."""
    parser = argparse.ArgumentParser(
        prog="kezd",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=("run", "config", "version"), default="run")
    parser.add_argument("--home-dir", metavar="DIR", help="instead of KEZD_HOME")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one setting")
    parser.add_argument("--passphrase-file", metavar="FILE", help="its first line opens the vault")
    parser.add_argument("--json", action="store_true", help="for `config` and `version`")
    return parser


def _flags(assignments: Sequence[str]) -> dict[str, str]:
    flags: dict[str, str] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise RequestError(Slug.BAD_CONFIG, f"--set wants SECTION.KEY=VALUE, not {assignment!r}")
        flags[name.strip()] = value
    return flags


def _read_passphrase(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8") as file:
            line = file.readline(PASSPHRASE_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            Slug.BAD_CONFIG, f"the passphrase file cannot be read: {error}", hint=PASSPHRASE_HINT
        ) from error
    if not line:
        raise RequestError(Slug.BAD_CONFIG, f"the first line of {path} is empty", hint=PASSPHRASE_HINT)
    return line


def _print_version(*, as_json: bool) -> int:
    sys.stdout.write((json.dumps({"version": __version__}) if as_json else f"kezd {__version__}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
