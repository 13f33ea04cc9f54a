"""Accepting clients for as long as the daemon runs, also when there are no descriptors left for them.

Not who they are, nor what they want. Invariants: an exhausted machine or process is waited
for, with one line in the log at its beginning and one at its end; clients that are
connected already notice nothing of it.
"""

import errno
import logging
import socket
from collections.abc import Callable

import trio

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds until the next try; doubling in between."""
AT_ONCE = 16
"""Clients accepted before others get their turn."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
PASSING = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EINTR, errno.EPERM, errno.EPROTO})
"""One client's trouble: the next one is accepted."""


async def accept_clients(listener: socket.socket, take: Callable[[socket.socket], object]) -> None:
    """Give each accepted socket to `take`, which must not wait or raise. Never returns.

    Raises:
        OSError: the listener itself is broken.
    """
    listener.setblocking(False)
    pause = 0.0
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            for _ in range(AT_ONCE):
                sock, _ = listener.accept()
                if pause:
                    log.info("clients are accepted again")
                    pause = 0.0
                take(sock)
        except OSError as error:
            if error.errno in PASSING:
                continue
            if error.errno not in EXHAUSTED:
                raise
            if not pause:
                log.warning("no client can be accepted", extra={"cause": str(error)})
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
            await trio.sleep(pause)
