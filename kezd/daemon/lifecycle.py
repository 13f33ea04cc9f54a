"""The life of the daemon's process: ready, watched, stopped; the last resort included.

First signal: a clean stop, at most `STOP_GRACE` long. Second signal, or grace over: at
once. SQLite and the home's redelivery make an abrupt end safe, only less polite.
"""

import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Mapping

import trio

from kezd.daemon.adapters import Adapters
from kezd.daemon.app import Peer, open_peer
from kezd.runtime.config import Config
from kezd.runtime.paths import Paths
from kezd.runtime.systemd import Notifier, watchdog_interval

log = logging.getLogger(__name__)

STOP_GRACE = 5.0
"""Seconds a clean stop may take."""
LAST_GRACE = 1.0
"""Seconds after that, until the process ends whatever still runs."""
COLLECTOR_THRESHOLDS = (10_000, 10, 10)
"""Hardly anything here is a cycle; Python's default of 700 new objects costs a twentieth of a busy peer's time."""
FEEDINGS = 4
"""In one interval of the watchdog, so that two late ones do no harm."""
EXIT_HUNG = 1
SIGNAL_EXIT = 128


async def run_daemon(
    config: Config,
    paths: Paths,
    environ: Mapping[str, str],
    adapters: Adapters,
    passphrase: str | None = None,
) -> None:
    """Run the peer until it is asked to stop."""
    notifier = Notifier(environ)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            async with open_peer(config, paths, environ, adapters, passphrase=passphrase) as peer:
                nursery.start_soon(_obey, signals, peer)
                nursery.start_soon(_feed_watchdog, notifier, watchdog_interval(environ, os.getpid()), peer)
                gc.freeze()  # what a start leaves behind stays for good, and need not be looked through again
                notifier.ready()
                notifier.status(", ".join(f"{n}: {p.state.value}" for n, p in peer.profiles.items()))
                await peer.wait_stop()
                notifier.stopping()
                _end_after(STOP_GRACE + LAST_GRACE)
                nursery.cancel_scope.deadline = trio.current_time() + STOP_GRACE
            nursery.cancel_scope.cancel()


async def _obey(signals: AsyncIterator[int], peer: Peer) -> None:
    stopping = False
    async for number in signals:
        if stopping:
            log.warning("stopped at once", extra={"signal": number})
            os._exit(SIGNAL_EXIT + number)
        log.info("asked to stop", extra={"signal": number})
        stopping = True
        peer.stop()


def _end_after(seconds: float) -> None:
    """A thread may hang in a sync that never returns, and nothing joins it then: end the process anyway."""
    timer = threading.Timer(seconds, os._exit, (EXIT_HUNG,))
    timer.daemon = True
    timer.start()


async def _feed_watchdog(notifier: Notifier, interval: float | None, peer: Peer) -> None:
    """Say `alive` only while every store answers and no link is deaf: else we are restarted.

    The question is asked on time, the answer comes from what was received and committed: a store
    that hangs leaves this task waiting, and what waits feeds nobody.
    """
    fed = True
    while interval is not None:
        profiles = list(peer.profiles.values())
        causes = [cause for profile in profiles for cause in await profile.stuck(interval)]
        if not causes:
            notifier.alive()
        elif fed:
            log.error("the watchdog is not fed any more", extra={"causes": ", ".join(causes)})
            notifier.status("stuck: " + ", ".join(causes))
        fed = not causes
        await trio.sleep(interval / FEEDINGS)
