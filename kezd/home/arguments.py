"""From the command line and the environment to `Settings`; the help texts are the manual.

Pure apart from argparse's own exit on wrong usage. Every flag of PROTOCOL 10 has its variable.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kezd.home.gate import Network
from kezd.home.policy import Limits
from kezd.home.settings import Address, Role, Settings, parse_network
from kezd.kez.errors import HandleError
from kezd.kez.handles import parse_server_name

MAX_JWT_TTL = 3600.0
DEFAULT_SERVER = "kez.lat"
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]*")
_SYNC_INTERVAL = re.compile(r"always|[1-9][0-9]{0,5}(s|m|h)")
DEFAULT_NATS = "nats://127.0.0.1:4222"

DESCRIPTION = """\
The home server of KEZ: it keeps handles (alice@your.server), sigchains, and sealed
mail for people whose machine is off. It can read none of that mail, and peers check
everything it says.
"""
EXAMPLES = """\
try it on this machine, everything in one directory, ports chosen by the kernel:
  kezd-home up --dir /tmp/home --server localhost --bind 127.0.0.1:0 --nats-bind 127.0.0.1:0

a server of your own, behind a TLS proxy:
  kezd-home up --server your.server --public-url https://your.server --trusted-proxy 127.0.0.1/32

with your own NATS instead of the built-in one:
  kezd-home init --dir DIR          # keys, and a nats.conf to copy from
  kezd-home check --dir DIR --nats-url nats://broker:4222
  kezd-home up --dir DIR --no-nats --nats-url nats://broker:4222

exit codes: 0 done, 1 could not (the reason and a hint are on stderr), 2 wrong usage
"""


class Command(Enum):
    """What to do."""

    SERVE = auto()
    INIT = auto()
    CHECK = auto()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command line, understood."""

    command: Command
    settings: Settings
    json: bool
    log_level: str


_COMMANDS = {
    "up": (Command.SERVE, Role.UP, "registry, sigchains and a supervised nats-server, all in one"),
    "registry": (
        Command.SERVE,
        Role.REGISTRY,
        "the registry alone (and the NATS side, if --nats-url is set)",
    ),
    "sigchain": (Command.SERVE, Role.SIGCHAIN, "the sigchain server alone"),
    "init": (Command.INIT, Role.UP, "make keys and nats.conf, then stop"),
    "check": (Command.CHECK, Role.REGISTRY, "say what is wrong with a NATS of your own, and how to mend it"),
}


def parse_arguments(arguments: Sequence[str], environ: Mapping[str, str]) -> Parsed:
    """Read a command line; wrong usage exits with 2."""
    try:
        parser = build_parser(environ)
    except argparse.ArgumentTypeError as error:
        argparse.ArgumentParser(prog="kezd-home").error(str(error))
    options = parser.parse_args(arguments)
    command, role, _ = _COMMANDS[options.command]
    if options.jwt_ttl > MAX_JWT_TTL:
        parser.error(f"--jwt-ttl is at most {MAX_JWT_TTL:.0f}")
    if role is Role.UP and options.no_nats and not options.nats_url:
        parser.error("--no-nats needs --nats-url (or NATS_URL)")
    settings = replace(_settings(options, command, role), credentials=_credentials(command, environ))
    return Parsed(command, settings, options.json, options.log_level)


def _credentials(command: Command, environ: Mapping[str, str]) -> Path | None:
    """Where systemd put our keys (systemd.exec(5), LoadCredential=), if it did."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or command is Command.INIT or not (Path(directory) / "issuer.nk").is_file():
        return None
    return Path(directory)


def _settings(options: argparse.Namespace, command: Command, role: Role) -> Settings:
    directory: Path = options.dir.expanduser().absolute()
    default_bind = "0.0.0.0:7878" if role is Role.SIGCHAIN else "0.0.0.0:6969"
    uses_own = role is not Role.UP or options.no_nats
    urls = tuple(options.nats_url.split(",")) if options.nats_url and uses_own else ()
    if command is Command.CHECK and not urls:
        urls = (DEFAULT_NATS,)
    return Settings(
        role=role,
        directory=directory,
        bind=options.bind or Address.parse(default_bind),
        internal_bind=options.internal_bind,
        db=options.db or directory / "home.db",
        sigchain_db=options.sigchain_db or directory / "sigchains.db",
        server=options.server,
        sig_server_url=options.sig_server_url,
        public_url=options.public_url.rstrip("/") if options.public_url else None,
        web_dir=options.web_dir,
        own_nats_urls=urls,
        nats_bind=options.nats_bind,
        nats_public_urls=tuple(options.nats_public_url),
        nats_websocket=options.nats_websocket,
        nats_monitoring=options.nats_monitoring,
        issuer_path=options.issuer,
        guests=options.guests == "on",
        sync_interval=options.sync_interval,
        inbox_max_bytes=options.inbox_max_bytes,
        replicas=options.replicas,
        register_per_minute=options.register_per_minute,
        register_burst=max(1, int(options.register_per_minute / 3)),
        sigchain_per_minute=options.sigchain_per_minute,
        sigchain_burst=max(1, int(options.sigchain_per_minute / 2)),
        trusted_proxies=tuple(options.trusted_proxy),
        nats_networks=tuple(options.nats_client),
        quota_interval=options.quota_interval,
        limits=Limits(jwt_ttl=options.jwt_ttl, ack_wait=options.ack_wait),
    )


def build_parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """The arguments of `kezd-home`; variables of the environment are defaults."""
    parser = argparse.ArgumentParser(
        prog="kezd-home", description=DESCRIPTION, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    common = _common(environ)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, _, text) in _COMMANDS.items():
        commands.add_parser(
            name, parents=[common], help=text, description=text, epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
    return parser


def _common(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    _where(common, environ)
    _nats(common, environ)
    _limits(common)
    return common


def _where(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    add = parser.add_argument_group("where and who").add_argument
    path = _reader(Path, "a path")

    def variable(name: str, read: Callable[[str], Any], default: Any = None) -> Any:
        try:
            return read(environ[name]) if environ.get(name) else default
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"variable {name}: {error}") from error

    add(
        "--dir",
        type=path,
        default=_state_directory(environ),
        metavar="DIR",
        help="keys, databases and the message store (default: $XDG_STATE_HOME/kezd-home)",
    )
    add(
        "--server",
        type=_reader(parse_server_name, "a server name"),
        default=environ.get("KEZ_CHAT_SERVER") or DEFAULT_SERVER,
        metavar="NAME",
        help="the part after @ in handles; KEZ_CHAT_SERVER (default: kez.lat)",
    )
    add(
        "--bind",
        type=_address,
        default=variable("KEZ_CHAT_BIND", _address),
        metavar="HOST:PORT",
        help="public HTTP; port 0 lets the kernel choose; KEZ_CHAT_BIND (default: 0.0.0.0:6969, sigchain: 7878)",
    )
    add(
        "--internal-bind",
        type=_address,
        default=Address("127.0.0.1", 6970),
        metavar="HOST:PORT",
        help="metrics and the auth question; keep it on loopback (default: 127.0.0.1:6970)",
    )
    add(
        "--public-url",
        type=_http_url,
        metavar="URL",
        help="how others reach --bind, e.g. https://your.server",
    )
    add(
        "--sig-server-url",
        type=_http_url,
        default=environ.get("KEZ_CHAT_SIG_SERVER_URL"),
        metavar="URL",
        help="where sigchains are served, if not here; KEZ_CHAT_SIG_SERVER_URL (registry: http://localhost:7878)",
    )
    add(
        "--db",
        type=path,
        default=variable("KEZ_CHAT_DB", Path),
        metavar="FILE",
        help="the registry's database; KEZ_CHAT_DB (default: DIR/home.db)",
    )
    add(
        "--sigchain-db",
        type=path,
        default=variable("KEZ_DB", Path),
        metavar="FILE",
        help="the sigchain server's database; KEZ_DB (default: DIR/sigchains.db)",
    )
    add(
        "--web-dir",
        type=path,
        default=variable("KEZ_CHAT_WEB_DIR", Path),
        metavar="DIR",
        help="static files to serve at /; KEZ_CHAT_WEB_DIR (default: one short page)",
    )
    add(
        "--trusted-proxy",
        type=_network,
        action="append",
        default=[],
        metavar="CIDR",
        help="believe X-Forwarded-For from here (default: from nobody); may be repeated",
    )
    add("--json", action="store_true", help="one JSON line on stdout when ready")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info", help="default: info")  # fmt: skip


def _nats(parser: argparse.ArgumentParser, environ: Mapping[str, str]) -> None:
    add = parser.add_argument_group("NATS").add_argument
    issuer = environ.get("AUTH_CALLOUT_NKEY_PATH")
    add(
        "--nats-bind",
        type=_address,
        default=Address("127.0.0.1", 4222),
        metavar="HOST:PORT",
        help="where the built-in nats-server listens (default: 127.0.0.1:4222)",
    )
    add(
        "--nats-public-url",
        action="append",
        default=[],
        metavar="URL",
        help="how peers reach NATS, if not at --nats-bind; may be repeated",
    )
    add(
        "--nats-websocket",
        type=_listener,
        metavar="HOST:PORT",
        help="also listen for websockets, usually :8443 behind a TLS proxy",
    )
    add(
        "--nats-monitoring",
        type=_listener,
        metavar="HOST:PORT",
        help="nats-server's own monitoring, usually 127.0.0.1:8222",
    )
    add("--no-nats", action="store_true", help="start no nats-server; use the one at --nats-url")
    add(
        "--nats-url",
        default=environ.get("NATS_URL"),
        metavar="URL[,URL]",
        help="a NATS of your own (with --no-nats, registry, check); NATS_URL",
    )
    add(
        "--issuer",
        type=_reader(Path, "a path"),
        default=Path(issuer) if issuer else None,
        metavar="FILE",
        help="nkey seed that signs the callout's answers; AUTH_CALLOUT_NKEY_PATH (default: DIR/keys/issuer.nk)",
    )
    add(
        "--guests",
        choices=["on", "off"],
        default="off",
        help="let people of other homes deliver here with a guest key (default: off)",
    )
    add(
        "--nats-client",
        type=_network,
        action="append",
        default=[],
        metavar="CIDR",
        help="admit NATS clients from here only (default: from everywhere); may be repeated",
    )
    add(
        "--sync-interval",
        type=_reader(_parse_sync_interval, "always, or a time such as 30s, 2m"),
        default="always",
        metavar="always|DURATION",
        help="when JetStream syncs to disk; always loses nothing in a power cut (default: always)",
    )
    add("--replicas", type=int, choices=[1, 3, 5], default=1, help="copies of the stream in your own cluster")  # fmt: skip


def _limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("limits").add_argument
    add(
        "--jwt-ttl",
        type=_positive,
        default=3600.0,
        metavar="SECONDS",
        help="how long a NATS login lasts, at most 3600 (default: 3600)",
    )
    add(
        "--ack-wait",
        type=_positive,
        default=10.0,
        metavar="SECONDS",
        help="when mail that a peer took and did not acknowledge is given out again (default: 10)",
    )
    add(
        "--inbox-max-bytes",
        type=_reader(_parse_size, "a number of bytes above 0"),
        metavar="BYTES",
        help="size of all waiting mail (default: 75%% of the free disk)",
    )
    add(
        "--register-per-minute",
        type=_positive,
        default=30.0,
        metavar="N",
        help="registrations an address may try (default: 30)",
    )
    add(
        "--sigchain-per-minute",
        type=_positive,
        default=120.0,
        metavar="N",
        help="sigchain events an address may post (default: 120)",
    )
    add("--quota-interval", type=_positive, default=2.0, metavar="SECONDS",
        help="how often senders' totals are looked at (default: 2)")  # fmt: skip


def _reader(read: Callable[[str], Any], what: str) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, HandleError) as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from error

    return checked


_address: Callable[[str], Address] = _reader(Address.parse, "host:port")


def _parse_listener(text: str) -> str:
    """`host:port` or `:port`, as nats-server wants it, and nothing that could end its quotes."""
    host, colon, port = text.rpartition(":")
    if not colon or not _HOST.fullmatch(host):
        raise ValueError(text)
    Address.parse(f"{host or '0.0.0.0'}:{port}")  # noqa: S104 - read, not bound
    return text


def _parse_http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(text)
    return text


def _parse_sync_interval(text: str) -> str:
    if not _SYNC_INTERVAL.fullmatch(text):
        raise ValueError(text)
    return text


def _parse_size(text: str) -> int:
    if (size := int(text)) <= 0:
        raise ValueError(text)
    return size


_listener: Callable[[str], str] = _reader(_parse_listener, "host:port")
_http_url: Callable[[str], str] = _reader(_parse_http_url, "a URL like https://your.server")


_network: Callable[[str], Network] = _reader(parse_network, "a network like 10.0.0.0/8")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError("it must be above 0")
    return number


def _state_directory(environ: Mapping[str, str]) -> Path:
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "kezd-home"
