"""What jsonrpcserver costs: the dispatcher as it is, beside one that calls the same methods from a dictionary."""

from functools import partial

from bench.figures import Sample, interleave
from bench.processes import run
from bench.scale import Scale
from bench.table import Row, Table

METHODS = {
    "daemon.version": "daemon.version",
    "chat.send": "chat.send, in memory",
    "chat.history": "chat.history, 50 messages in memory",
}
ROUNDS = 3
PART = 0.5
"""Of the seconds of a cell with a socket: nothing here waits for another process."""


def measure(scale: Scale) -> list[Table]:
    """Calls a second of each."""
    rounds, seconds = min(scale.rounds, ROUNDS), scale.calls_seconds * PART
    found = interleave({kind: partial(_load, kind, seconds) for kind in ("kezd", "bare")}, rounds)
    rows = []
    for method, what in METHODS.items():
        ours, bare = found["kezd"][method], found["bare"][method]
        rows += [
            Row(what, ours, bare, "calls/s"),
            Row(f"{what}: time of a call", 1e6 / ours, 1e6 / bare, "µs"),
        ]
    return [
        Table(
            "RPC: what jsonrpcserver costs",
            rows,
            [
                f"In one process, from the request's bytes to the answer's, no socket; {seconds:g} s a cell, median of"
                f" {rounds} rounds. Baseline: the method from a dictionary, the same parsing, checks, handler and"
                " encoding, without jsonrpcserver's request, result and Either objects around it."
            ],
        )
    ]


def _load(kind: str, seconds: float) -> Sample:
    found: dict[str, float] = run("dispatch", kind, str(seconds), *METHODS)
    return found
