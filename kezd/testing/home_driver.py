"""A real home server as a child process, for tests of any room.

    with HomeProcess.start(tmp_path / "home", server="kez.test") as home:
        httpx.get(home.url + "/v1/healthz")

Synchronous, so that sync, Trio and asyncio tests can all use it. Its ports are chosen once and
kept over `restart`. Its log is a file; `errors()` are the lines a human would have to look at.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kezd.testing.ports import free_port

READY_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0
ENVIRONMENT_OF_HOME = ("KEZ_", "NATS_URL", "AUTH_CALLOUT_NKEY_PATH")


class HomeProcess:
    """`kezd-home up` with its own nats-server, on loopback."""

    def __init__(self, directory: Path, arguments: Sequence[str], clock_offset: float | None) -> None:
        self.directory = directory
        self.log_path = directory / "home.log"
        self.url = ""
        self.internal_url = ""
        self.nats_url = ""
        self._arguments = list(arguments)
        self._clock_offset = clock_offset
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def start(
        cls,
        directory: Path,
        *,
        server: str = "kez.test",
        guests: bool = False,
        clock_offset: float | None = None,
        extra_args: Sequence[str] = (),
        role: str = "up",
    ) -> Iterator["HomeProcess"]:
        """Start, wait until it is ready, stop at the end of the block.

        Args:
            directory: its state; made if missing, kept afterwards.
            server: its name, the part after @.
            guests: whether other homes' people may deliver here.
            clock_offset: seconds its wall clock is off.
            extra_args: more flags; later ones win over the driver's.
            role: `up`, `registry` or `sigchain`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        arguments = [
            role, "--json", "--dir", str(directory), "--server", server,
            "--bind", f"127.0.0.1:{free_port()}", "--internal-bind", f"127.0.0.1:{free_port()}",
            "--nats-bind", f"127.0.0.1:{free_port()}", "--guests", "on" if guests else "off",
            "--register-per-minute", "1000000", "--sigchain-per-minute", "1000000", *extra_args,
        ]  # fmt: skip
        self = cls(directory, arguments, clock_offset)
        self._spawn()
        try:
            yield self
        finally:
            self.stop()

    @property
    def pid(self) -> int:
        """Process id of home."""
        assert self._process is not None
        return self._process.pid

    @property
    def nats_pid(self) -> int:
        """Process id of the nats-server that runs now (home may have restarted it)."""
        return int((self.directory / "nats.pid").read_text())

    def kill(self) -> None:
        """SIGKILL to home only; its nats-server goes by itself."""
        process = self._running()
        process.kill()
        process.wait()

    def kill_nats(self) -> None:
        """SIGKILL to nats-server only; home starts it again."""
        os.kill(self.nats_pid, signal.SIGKILL)

    def stop(self) -> int | None:
        """SIGTERM and wait; the exit code, None when it was not running."""
        process = self._process
        if process is None or process.poll() is not None:
            return process.returncode if process else None
        process.terminate()
        try:
            return process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def wait(self) -> int:
        """Wait until it ended by itself; its exit code."""
        return self._running().wait(STOP_TIMEOUT)

    def restart(self) -> None:
        """Stop (if it runs) and start again on the same directory and ports."""
        self.stop()
        self._spawn()

    def log_lines(self) -> list[str]:
        """Everything it logged, over all its starts."""
        return self.log_path.read_text(errors="replace").splitlines()

    def errors(self) -> list[str]:
        """ERROR lines of its log, and tracebacks that never reached a logger."""
        return [line for line in self.log_lines() if " level=error " in line or line.startswith("Traceback")]

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the home was not started"
        return self._process

    def _spawn(self) -> None:
        module = ["kezd.home.main"]
        if self._clock_offset is not None:
            module = ["kezd.testing.home_main", str(self._clock_offset)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_OF_HOME)}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module, *self._arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment,
            )  # fmt: skip
        ready = self._wait_ready(self._process)
        self.url, self.internal_url = ready["url"], ready["internal_url"]
        self.nats_url = ready["nats_url"] or ""

    def _wait_ready(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        assert process.stdout is not None
        deadline, line = time.monotonic() + READY_TIMEOUT, b""
        poller = select.poll()  # a load test may hold more descriptors than select can look at
        with contextlib.closing(process.stdout) as stdout:
            poller.register(stdout, select.POLLIN)
            while not line.endswith(b"\n") and time.monotonic() < deadline:
                if poller.poll(100):
                    chunk = os.read(stdout.fileno(), 65536)
                    if not chunk:
                        break
                    line += chunk
        if not line.endswith(b"\n"):
            process.kill()
            process.wait()
            tail = "\n".join(self.log_lines()[-20:])
            raise RuntimeError(f"kezd-home did not become ready (exit {process.returncode}):\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer
