"""What the figures were taken on."""

import datetime
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    date: str
    load: float
    """Of the last minute, before the run began: anything near the number of cores spoils it."""
    command: str

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(
            cores=len(os.sched_getaffinity(0)),
            cpu=_cpu(),
            memory_gib=round(pages / 2**30, 1),
            kernel=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),  # noqa: TID251 - a label
            load=round(os.getloadavg()[0], 2),
            command=" ".join(["python -m bench", *sys.argv[1:]]),
        )

    def line(self) -> str:
        """One line of text."""
        return (
            f"{self.date} · {self.cores} cores, {self.cpu}, {self.memory_gib:g} GiB · {self.kernel} · "
            f"Python {self.python} · load {self.load:g} at the start · `{self.command}`"
        )

    def value(self) -> dict[str, object]:
        """For JSON."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
