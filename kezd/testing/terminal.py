"""A pseudo-terminal with a program in it, for tests of what a person sees and types."""

import os
import pty
import select
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 20.0


class TerminalProcess:
    """A program at a terminal of so many columns."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], columns: int = 80) -> None:
        self.seen = ""
        child, self._fd = pty.fork()
        if child == 0:
            termios.tcsetwinsize(0, (60, columns))
            os.execve(command[0], list(command), {**environ, "TERM": "xterm-256color"})
        self._pid = child

    def wait_for(self, text: str) -> str:
        """Read until that text was seen; everything since the last `type`."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {text!r} in {self.seen!r}")
            if select.select([self._fd], [], [], 0.1)[0] and not self._read():
                break
        if text not in self.seen:
            raise EOFError(f"no {text!r} in {self.seen!r}")
        return self.seen

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self.seen = ""
        os.write(self._fd, line.encode() + b"\n")

    def is_asleep(self) -> bool:
        """Whether it waits for something."""
        stat = Path(f"/proc/{self._pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "S"

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            continue
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        try:
            more = os.read(self._fd, 65536)
        except OSError:  # EIO: the program has ended
            return False
        self.seen += more.decode(errors="replace")
        return bool(more)
