"""Who is at the other end of a Unix socket, and whether they may be.

The kernel tells the uid (`SO_PEERCRED`); only our own is let in. Root is no exception
unless it is us. No barrier between processes of one uid.
"""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_UCRED = struct.Struct("3i")
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Caller:
    """The process that connected, as it was then."""

    pid: int
    uid: int
    gid: int


def read_caller(connection: socket.socket) -> Caller:
    """The credentials of the connected process (Linux)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Caller(*_UCRED.unpack(raw))


def executable_of(caller: Caller) -> str:
    """What the process runs, as far as we may know (Linux); `?` otherwise. It may have changed since it connected."""
    try:
        path = str(Path(f"/proc/{caller.pid}/exe").readlink())
    except OSError:
        return UNKNOWN
    return path if path.isprintable() else repr(path)


def is_welcome(caller: Caller) -> bool:
    """Whether this caller runs as the same user as we do."""
    return caller.uid == os.geteuid()
