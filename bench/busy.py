"""Calls on a peer that is busy, beside the same calls on the same peer while nothing happens.

Busy: texts pipelined through it to another peer, every receipt coming back, and ten subscribers
that read all of it. The callers measured are processes of their own with one call at a time.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Sample, interleave
from bench.people import Pair, open_pair
from bench.processes import Child, run
from bench.scale import Scale
from bench.table import Row, Table

BYTES = 256
CONNECTIONS = 4
WINDOW = 16
SUBSCRIBERS = 10
PAGE = 50
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Call:
    """What is measured."""

    name: str
    method: str
    params: dict[str, object]


def measure(scale: Scale) -> list[Table]:
    """Latencies of a cheap call and of a page of history."""
    rounds = min(scale.rounds, ROUNDS)
    with (
        tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory,
        open_pair(Path(directory)) as pair,
    ):
        calls = (
            Call("daemon.version", "daemon.version", {}),
            Call(f"chat.history, {PAGE} messages", "chat.history", {"contact": pair.to, "limit": PAGE}),
        )
        _busy(pair, (), scale)  # so that there is a history
        found = interleave(
            {"idle": lambda: _measure(pair, calls, scale), "busy": lambda: _busy(pair, calls, scale)}, rounds
        )
    busy, idle = found["busy"], found["idle"]
    rows = [
        Row(f"{call.name}, {part}", busy[f"{call.name} {part}"], idle[f"{call.name} {part}"], "ms")
        for call in calls
        for part in ("p50", "p99")
    ]
    rows += [
        Row("texts sent meanwhile", busy["sent"], None, "/s"),
        Row("events delivered meanwhile", busy["delivered"], None, "/s"),
    ]
    return [
        Table(
            "RPC: calls on a busy peer",
            rows,
            [
                f"One caller with one call at a time, {scale.calls_seconds:g} s each, median of {rounds} rounds. Busy:"
                f" {CONNECTIONS} connections with {WINDOW} `chat.send` of {BYTES} bytes in flight each, to a peer whose"
                f" receipts come back, and {SUBSCRIBERS} subscribers that read every event. Two cores carry both peers,"
                " the broker, home, that load and the caller, so waiting for a core is part of it. Baseline: the same"
                " peer and calls with nothing else going on."
            ],
        )
    ]


def _busy(pair: Pair, calls: tuple[Call, ...], scale: Scale) -> Sample:
    numbers = (BYTES, CONNECTIONS, WINDOW, SUBSCRIBERS)
    with Child.start("chat_busy", str(pair.alice.socket), pair.to, *map(str, numbers)) as load:
        load.hear()
        found = dict(_measure(pair, calls, scale))
        load.tell("enough")
        heard = load.hear()
    return found | {what: heard[what] / heard["seconds"] for what in ("sent", "delivered")}


def _measure(pair: Pair, calls: tuple[Call, ...], scale: Scale) -> Sample:
    found: dict[str, float] = {}
    for call in calls:
        arguments = (
            str(pair.alice.socket),
            call.method,
            "1",
            str(scale.calls_seconds),
            json.dumps(call.params),
        )
        heard = run("rpc_load", *arguments)
        found |= {f"{call.name} {part}": heard[part] * 1000 for part in ("p50", "p99")}
    return found
