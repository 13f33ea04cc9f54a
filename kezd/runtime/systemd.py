"""The parts of systemd's protocols that a service speaks, without a library.

sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3) and credentials (systemd.exec(5)).
Without systemd every function does nothing or returns nothing. Takes the environment as
an argument and never changes it.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

FIRST_LISTEN_FD = 3
CREDENTIAL_BYTES = 4096
"""Longest credential that is read."""


class Notifier:
    """Tells the service manager how we are. A manager that does not listen is not our trouble."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Start-up is done."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Shutdown has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:
                return


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which the manager wants `alive()`, or None. Feed it at half of that."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isdigit() and int(text) > 0 else None


def listen_sockets(environ: Mapping[str, str], pid: int) -> list[socket.socket]:
    """The listening sockets that the manager passed to this process (socket activation)."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not count.isdigit():
        return []
    sockets = []
    for descriptor in range(FIRST_LISTEN_FD, FIRST_LISTEN_FD + int(count)):
        os.set_inheritable(descriptor, False)
        sockets.append(socket.socket(fileno=descriptor))
    return sockets


def read_credential(environ: Mapping[str, str], name: str) -> bytes | None:
    """A credential passed by `LoadCredential=`/`LoadCredentialEncrypted=`, or None when there is none.

    Raises:
        OSError: it is there and cannot be read.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    try:
        with (Path(directory) / name).open("rb") as file:
            return file.read(CREDENTIAL_BYTES)
    except FileNotFoundError:
        return None
