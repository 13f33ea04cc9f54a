"""Children of a bench: started, waited for, asked for their memory, and ended with the block.

A program of `bench.programs` says it is ready with one line of JSON on stdout; what it is told
comes on stdin, and its results are further lines of JSON.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

STOP_SECONDS = 10


class Child:
    """A running program."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def start(cls, program: str, *arguments: str) -> Iterator["Child"]:
        """Run `bench.programs.<program>` for the length of the block."""
        command = [sys.executable, "-m", f"bench.programs.{program}", *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield cls(process)
        finally:
            end(process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def tell(self, value: Any) -> None:
        """Write one line of JSON to its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(value) + b"\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Read one line of JSON.

        Raises:
            RuntimeError: it ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return msgspec.json.decode(line)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, then SIGKILL."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(program: str, *arguments: str) -> Any:
    """Run `bench.programs.<program>` to its end; its last line of JSON."""
    command = [sys.executable, "-m", f"bench.programs.{program}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1])


def elapsed_of(command: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """Wall seconds of a whole command that must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in bytes."""

    resident: int
    """Rss: as `ps` shows it, shared libraries included."""
    anonymous: int
    """Heap and stacks; what is mapped from files is not in it, and sharing it with others changes nothing."""

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Read it from /proc."""
        sizes = {
            name: int(rest.split()[0]) * 1024
            for name, _, rest in (
                line.partition(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            )
        }
        return cls(sizes["Rss"], sizes["Anonymous"])
