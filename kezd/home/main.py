"""`kezd-home`: the command line of the home server, and the one place that touches the process.

Flags come before variables, variables before defaults (PROTOCOL 10). Exit codes: 0 done, 1 it
could not do it (the sentence and the hint are on stderr), 2 wrong usage.
"""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version as distribution_version

import msgspec
import uvloop

from kezd.home import check
from kezd.home.app import Home, make_directory, nats_config, open_home
from kezd.home.arguments import Command, Parsed, parse_arguments
from kezd.home.errors import HomeSetupError
from kezd.home.nats_config import render_nats_config
from kezd.home.nats_keys import create_missing_keys, load_keys
from kezd.home.settings import Settings
from kezd.runtime.clock import Clock, SystemClock
from kezd.runtime.logs import logging_to
from kezd.runtime.systemd import Notifier

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the console script's entry point."""
    return run(sys.argv[1:] if arguments is None else arguments, SystemClock())


def run(arguments: Sequence[str], clock: Clock) -> int:
    """Run the command under a given clock."""
    parsed = parse_arguments(arguments, os.environ)
    try:
        with logging_to(parsed.log_level, None):
            # Reconnects and bad requests are routine; each says so on its own logger already.
            logging.getLogger("uvicorn").setLevel(logging.WARNING)
            logging.getLogger("nats").setLevel(logging.CRITICAL)
            return _dispatch(parsed, clock)
    except HomeSetupError as error:
        print(f"kezd-home: {error}\n  {error.hint}", file=sys.stderr)  # noqa: T201 - a command line prints
        return 1


def _dispatch(parsed: Parsed, clock: Clock) -> int:
    match parsed.command:
        case Command.INIT:
            return _init(parsed)
        case Command.CHECK:
            logging.getLogger("kezd.home.nats_link").setLevel(logging.ERROR)  # the findings say it better
            return asyncio.run(check.run(parsed.settings, clock, as_json=parsed.json))
        case Command.SERVE:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_serve(parsed, clock))


def _init(parsed: Parsed) -> int:
    settings = parsed.settings
    make_directory(settings.directory)
    made = create_missing_keys(settings.keys_directory, secrets.token_bytes)
    keys = load_keys(settings.keys_directory, settings.issuer_path)
    path = settings.directory / "nats.conf"
    path.write_text(render_nats_config(nats_config(settings, settings.nats_bind.port or 4222), keys))
    answer = {
        "directory": str(settings.directory),
        "keys_made": made,
        "nats_conf": str(path),
        "issuer": keys.issuer.public,
    }
    if parsed.json:
        _say(answer)
    else:
        made_text = ", ".join(made) or "none, all were there"
        following = f"kezd-home up --server NAME --dir {settings.directory}"
        print(f"keys made: {made_text}\nnats.conf: {path}\nnext: {following}")  # noqa: T201
    return 0


async def _serve(parsed: Parsed, clock: Clock) -> int:
    """Serve until the first signal; a second one ends the process at once."""
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(_serve_until(parsed, clock, ready, stop))

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        if not ready.is_set():
            serving.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    return 0


async def _serve_until(parsed: Parsed, clock: Clock, ready: asyncio.Event, stop: asyncio.Event) -> None:
    version = distribution_version("kezd")
    async with open_home(parsed.settings, clock, secrets.token_bytes, version) as home:
        ready.set()
        notifier = Notifier(os.environ)
        notifier.ready()
        gc.freeze()  # what was made until here stays: collections need not walk it again
        _announce(parsed.settings, home, as_json=parsed.json)
        await stop.wait()
        notifier.stopping()
        log.info("home is stopping")


def _announce(settings: Settings, home: Home, *, as_json: bool) -> None:
    log.info("home is ready", extra={"role": settings.role.value})
    if as_json:
        _say(
            {
                "ready": True,
                "url": home.url,
                "internal_url": home.internal_url,
                "nats_url": home.nats_url,
                "pid": os.getpid(),
                "nats_pid": home.supervisor.pid if home.supervisor else None,
            }
        )
    else:
        print(f"{settings.server} is ready on {home.url} (internal {home.internal_url})", flush=True)  # noqa: T201


def _say(value: object) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
