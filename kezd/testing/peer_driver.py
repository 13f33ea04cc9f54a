"""A real peer as a child process, and the real `kez` beside it, for tests and the demo.

    with PeerProcess.running(directory, home_url=home.url) as peer:
        peer.kez("whoami")

Synchronous. Everything of the peer is below `directory` (its KEZD_HOME). The vault opens with
a passphrase from a file that stands outside of it, unless the test wants it locked. Its log is
a file over all its starts; `errors()` are the lines a human would have to look at.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from kezd.client.sync import Client
from kezd.client.wire import FULL
from kezd.errors import KezdError, Slug

READY_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0
COMMAND_TIMEOUT = 60.0
POLL = 0.005
BAD = (" level=error ", " level=critical ")
OURS = ("KEZD_", "CREDENTIALS_DIRECTORY", "XDG_", "NOTIFY_SOCKET", "LISTEN_", "DBUS_")
BESIDE_PYTHON = Path(sys.executable).parent


class VaultKind(StrEnum):
    """How the vault opens at a start."""

    OPEN = "open"
    """By itself, from the passphrase file."""
    LOCKED = "locked"
    """Not by itself: somebody has to give the passphrase."""


class PeerProcess:
    """`kezd` with a directory of its own."""

    def __init__(self, directory: Path, home_url: str, vault: VaultKind, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self.passphrase = secrets.token_urlsafe(16)
        self.exit_codes: list[int] = []
        """Of its earlier lives; negative when a signal ended them."""
        self._secret_file = directory.with_name(directory.name + ".passphrase")
        self._vault = vault
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | {
            "KEZD_HOME": str(directory),
            "KEZD_HOME_URL": home_url,
            "KEZD_VAULT_SOURCE": "passphrase",
            "NO_COLOR": "1",
            **environ,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(
        cls,
        directory: Path,
        *,
        home_url: str,
        vault: VaultKind | str = VaultKind.OPEN,
        environ: Mapping[str, str] | None = None,
    ) -> Iterator["PeerProcess"]:
        """Start, wait until it answers, stop at the end of the block.

        Args:
            directory: its KEZD_HOME; made if missing, kept afterwards.
            home_url: the home that it registers at.
            vault: whether a start opens the vault.
            environ: more variables, for the daemon and its commands.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self = cls(directory, home_url, VaultKind(vault), environ or {})
        self._secret_file.write_text(self.passphrase + "\n")
        self._secret_file.chmod(0o600)
        self.start()
        try:
            yield self
        finally:
            self.stop()
            self._secret_file.unlink()

    @property
    def socket(self) -> Path:
        """Where it answers."""
        return self.directory / "run" / "kezd.sock"

    @property
    def vault_arguments(self) -> dict[str, str]:
        """What `identity.create` and `identity.restore` need to make a vault."""
        return {"passphrase": self.passphrase} if self._vault is VaultKind.LOCKED else {}

    @property
    def pid(self) -> int:
        """Process id; of the tracer when there is one."""
        return self._running().pid

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        return None if self._process is None else self._process.poll()

    def start(self, *, crash: str | None = None, under: Sequence[str] = ()) -> None:
        """Start and wait until it answers.

        Args:
            crash: `POINT:N` of `kezd.testing.crash_peer`, to have it kill itself there.
            under: a command that runs it, such as a tracer.
        """
        self._note_end()
        module = ["kezd.daemon.main"] if crash is None else ["kezd.testing.crash_peer", crash]
        command = [*under, sys.executable, "-m", *module]
        if self._vault is VaultKind.OPEN:
            command += ["--passphrase-file", str(self._secret_file)]
        with (self.directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, env=self._environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._wait_ready(self._process, may_die=crash is not None)

    def restart(self, *, crash: str | None = None, under: Sequence[str] = ()) -> None:
        """Stop and start."""
        self.stop()
        self.start(crash=crash, under=under)

    def stop(self) -> int | None:
        """SIGTERM and wait; the exit code."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        self._note_end()
        return self.exit_codes[-1]

    def kill(self) -> None:
        """SIGKILL."""
        process = self._running()
        process.kill()
        process.wait()
        self._note_end()

    def kez(self, *arguments: str) -> Any:
        """What `kez --json` prints; a command must succeed."""
        return json.loads(self._command("--json", *arguments))

    def kez_fails(self, *arguments: str) -> tuple[int, str]:
        """Exit code and stderr of a command that must fail."""
        done = self.run_kez(*arguments)
        if done.returncode == 0:
            raise RuntimeError(f"kez {' '.join(arguments)} did not fail:\n{done.stdout}")
        return done.returncode, done.stderr

    def kez_text(self, *arguments: str) -> str:
        """What `kez` prints for a person."""
        return self._command(*arguments)

    def errors(self) -> list[str]:
        """ERROR lines of its log, and tracebacks that never reached a logger."""
        return [
            line
            for line in self.log_lines()
            if any(mark in line for mark in BAD) or line.startswith("Traceback")
        ]

    def log_lines(self) -> list[str]:
        """Everything it printed, over all its lives."""
        return (self.directory / "output.log").read_text(errors="replace").splitlines()

    def client(self, **options: Any) -> Client:
        """A connection with the scope of the person, unless `token` says another; the caller closes it."""
        return Client.connect(str(self.socket), **{"token": FULL, **options})

    def run_kez(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the real `kez` with this peer's environment."""
        return subprocess.run(
            [str(BESIDE_PYTHON / "kez"), *arguments], env=self._environ, input=stdin or "",
            capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False,
        )  # fmt: skip

    def _command(self, *arguments: str) -> str:
        done = self.run_kez(*arguments)
        if done.returncode != 0:
            raise RuntimeError(
                f"kez {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}{done.stdout}"
            )
        return done.stdout

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the peer is not running"
        return self._process

    def _note_end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self.exit_codes.append(process.wait(STOP_TIMEOUT))

    def _wait_ready(self, process: "subprocess.Popen[bytes]", *, may_die: bool = False) -> None:
        """Until it answers; one that is to kill itself may have done so before that."""
        deadline = time.monotonic() + READY_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with Client.open(str(self.socket)) as client:
                    client.call("daemon.version")
                    return
            except KezdError as error:
                if error.slug is not Slug.NOT_RUNNING:
                    raise
                time.sleep(POLL)
        if may_die and process.poll() == -signal.SIGKILL:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        raise RuntimeError("kezd did not become ready:\n" + "\n".join(self.log_lines()[-20:]))
