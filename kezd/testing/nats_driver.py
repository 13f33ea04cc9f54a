"""A real nats-server as a child process, with a config that the test writes.

    with NatsServer.start(tmp_path, "jetstream { store_dir: 'js' }") as server:
        nc = await nats.connect(server.url)

The config must not say `listen`, `host` or `port`: the driver chooses the port and keeps it over
`restart`.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kezd.home.nats_supervisor import find_nats_server
from kezd.testing.ports import free_port

READY_TIMEOUT = 20.0


class NatsServer:
    """One nats-server on loopback."""

    def __init__(self, directory: Path, config: str) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.log_path = directory / "nats-server.log"
        self._config_path = directory / "nats-server.conf"
        self._config_path.write_text(f'listen: "127.0.0.1:{self.port}"\n{config}\n')
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def start(cls, directory: Path, config: str = "") -> Iterator["NatsServer"]:
        """Start, wait until it speaks, stop at the end of the block."""
        directory.mkdir(parents=True, exist_ok=True)
        self = cls(directory, config)
        self.restart()
        try:
            yield self
        finally:
            self.stop()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        self._end("kill")

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end("terminate")

    def restart(self) -> None:
        """Stop it if it runs, start it on the same port and directory, wait until it speaks."""
        self.stop()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_nats_server()), "-c", str(self._config_path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait_ready()

    def _end(self, how: str) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        if how == "kill":
            process.kill()
        else:
            process.terminate()
        process.wait(20)

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    if probe.recv(5) == b"INFO ":
                        return
            except OSError:
                time.sleep(0.01)
        tail = "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])
        raise RuntimeError(f"nats-server did not start:\n{tail}")
