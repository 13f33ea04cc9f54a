"""Starting: the peer until it answers and until it is `locked`, its memory at rest, the command line.

All offline: no home is configured that anybody could reach. Ready is what the peer tells systemd
(`READY=1` on the socket of sd_notify), so nothing is polled.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.figures import Sample, interleave
from bench.people import PEER, environment, open_alone, plain_environment, start_peer
from bench.processes import Child, Memory, elapsed_of
from bench.scale import Scale
from bench.table import Row, Table

MIB = 1024 * 1024
SETTLE_SECONDS = 1.0
"""Until memory is looked at."""
IMPORTED = re.compile(r"^import time:\s*\d+ \|\s*\d+ \|\s*(\S+)$", re.MULTILINE)
SAY_READY = """\
import os, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
"""
KEZ = str(Path(sys.executable).parent / "kez")


def measure(scale: Scale) -> list[Table]:
    """Start-up times and idle memory."""
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        place = Path(directory)
        with open_alone(place / "locked"):
            pass
        return [_starts(place, scale), _idle(place, scale), _command_line(place, scale)]


def _starts(place: Path, scale: Scale) -> Table:
    modules = _imports_of(place)
    bare = [sys.executable, "-c", _importing(modules)]
    cells = {
        "empty": lambda: {"s": _ready(place / "empty", state="empty")},
        "locked": lambda: {"s": _ready(place / "locked", state="locked")},
        "imports": lambda: {"s": _ready(place / "nobody", bare)},
        "pass": lambda: {"s": elapsed_of([sys.executable, "-c", "pass"], plain_environment())},
    }
    found = _milliseconds(cells, scale)
    return Table(
        "Start of the peer, offline",
        [
            Row("start → socket answers, no identity yet", found["empty"], found["imports"], "ms"),
            Row("start → `locked`, vault needs a passphrase", found["locked"], found["imports"], "ms",
                "≤ 2.5", "≤ 1.6"),
            Row("the same, baseline: python -c pass", found["locked"], found["pass"], "ms"),
        ],
        [
            f"Median of {scale.starts} starts, from fork to READY=1. Baseline: a Python that imports the same"
            f" {len(modules)} modules of the standard library and of others (none of kezd's), until then."
        ],
    )  # fmt: skip


def _idle(place: Path, scale: Scale) -> Table:
    found = interleave(
        {"kezd": lambda: _memory_of_peer(place), "bare": _memory_of_trio}, min(scale.rounds, 3)
    )
    kezd, bare = found["kezd"], found["bare"]
    return Table(
        "Idle memory of the peer",
        [
            Row("resident (Rss)", kezd["rss"], bare["rss"], "MiB", "≤ 3.2", "≤ 2.2"),
            Row("anonymous (heap)", kezd["anonymous"], bare["anonymous"], "MiB"),
        ],
        [
            "An open profile with an identity, offline, one second after it was ready."
            " Baseline: `trio.run` of a task that sleeps."
        ],
    )


def _command_line(place: Path, scale: Scale) -> Table:
    with open_alone(place / "live") as peer:
        cells = {
            "version": lambda: {"s": elapsed_of([KEZ, "version"], environment(peer.directory))},
            "call": lambda: {"s": elapsed_of([KEZ, "whoami"], environment(peer.directory))},
            "pass": lambda: {"s": elapsed_of([sys.executable, "-c", "pass"], plain_environment())},
        }
        found = _milliseconds(cells, scale)
    return Table(
        "The command line, whole process",
        [
            Row("kez version", found["version"], found["pass"], "ms", "≤ 6", "≤ 3"),
            Row("kez whoami, against a live peer", found["call"], found["pass"], "ms", "≤ 6", "≤ 3"),
        ],
        [f"Median of {scale.starts} runs, wall time. Baseline: `python -c pass`."],
    )


def _milliseconds(cells: Mapping[str, Callable[[], Sample]], scale: Scale) -> dict[str, float]:
    """Median of each, after a first run that is not counted: it may compile and fill caches."""
    interleave(cells, 1)
    return {name: figures["s"] * 1000 for name, figures in interleave(cells, scale.starts).items()}


def _ready(directory: Path, command: Sequence[str] = PEER, state: str | None = None) -> float:
    """Seconds from starting a program until it says that it is ready; then it is stopped."""
    begun = time.perf_counter()
    with start_peer(directory, environment(directory, unlocked=state != "locked"), command) as peer:
        took = time.perf_counter() - begun
        if state is not None and peer.state() != state:
            raise RuntimeError(f"the profile is {peer.state()}, not {state}")
    return took


def _importing(modules: Sequence[str]) -> str:
    """A program that imports these, says that it is ready, and ends. Some exist only inside another's import."""
    imports = [f"try: import {name}\nexcept ImportError: pass" for name in modules]
    return "\n".join([*imports, SAY_READY])


def _imports_of(place: Path) -> list[str]:
    """Every module that is not kezd's which a peer imports until it is `locked`, in its order."""
    command = (sys.executable, "-X", "importtime", *PEER[1:])
    log = place / "imports.log"
    with start_peer(place / "locked", environment(place / "locked", unlocked=False), command, log):
        pass
    names = IMPORTED.findall(log.read_text(errors="replace"))
    return [name for name in names if name.partition(".")[0] not in ("kezd", "__main__", "runpy")]


def _memory_of_peer(place: Path) -> Sample:
    with open_alone(place / "idle") as peer:
        time.sleep(SETTLE_SECONDS)
        return _mib(peer.pid)


def _memory_of_trio() -> Sample:
    with Child.start("idle_trio") as idle:
        idle.hear()
        time.sleep(SETTLE_SECONDS)
        return _mib(idle.pid)


def _mib(pid: int) -> Sample:
    memory = Memory.of(pid)
    return {"rss": memory.resident / MIB, "anonymous": memory.anonymous / MIB}
