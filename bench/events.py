"""Events of a real daemon to 1, 10 and 100 subscribers, beside one that never reads.

What is compared: events that are committed to the log and handed to every subscriber's socket,
against a bare Trio loop that sends the same lines to as many sockets and knows nothing else. The
source of the events runs inside the daemon (`bench.programs.event_source`), next to its real database,
so that nothing but commit, bus and socket is between an event and its readers.
"""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.figures import Sample, interleave
from bench.people import environment, start_peer
from bench.processes import Child, run
from bench.scale import Scale
from bench.table import Row, Table

SUBSCRIBERS = (1, 10, 100)
BATCH = 256
"""Events of one transaction: below a subscriber's queue of 1,024, as the chat's own batches are."""
PAUSE = 0.004
"""Seconds between two events that come one by one."""
ROUNDS = 3
MOST_EVENTS = 60_000
CONNECTIONS = {"KEZD_RPC_CONNECTIONS": "128"}
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """What readers connect to."""

    kind: str
    socket: Path
    control: Path
    pid: int


def measure(scale: Scale) -> list[Table]:
    """Rates, latencies and memory."""
    rounds = min(scale.rounds, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as text, ExitStack() as stack:
        directory = Path(text)
        kezd, bare = _daemon(directory, stack), _bare(directory, stack)
        cells = {"source": partial(_load, kezd, 0, 0, scale)}
        for count in SUBSCRIBERS:
            cells |= {
                f"kezd {count}": partial(_load, kezd, count, 0, scale),
                f"stopped {count}": partial(_load, kezd, count, 1, scale),
                f"bare {count}": partial(_load, bare, count, 1, scale),
            }
        found = interleave(cells, rounds)
    return [_rates(found, scale, rounds), _latencies(found, scale, rounds), _memory(found, scale)]


def _daemon(directory: Path, stack: ExitStack) -> Server:
    place, control = directory / "peer", directory / "peer.control"
    command = (sys.executable, "-m", "bench.programs.event_source", str(control))
    peer = stack.enter_context(start_peer(place, environment(place) | CONNECTIONS, command))
    peer.create_identity()
    return Server("kezd", peer.socket, control, peer.pid)


def _bare(directory: Path, stack: ExitStack) -> Server:
    path, control = directory / "bare.sock", directory / "bare.control"
    child = stack.enter_context(Child.start("bare_fanout", str(path), str(control)))
    child.hear()
    return Server("bare", path, control, child.pid)


def _load(server: Server, running: int, stopped: int, scale: Scale) -> Sample:
    events = min(MOST_EVENTS, max(scale.events // max(1, running), scale.events_least))
    numbers = (server.pid, running, stopped, events, BATCH, scale.events_singles, PAUSE)
    paths = (server.kind, str(server.socket), str(server.control))
    heard = run("event_load", *paths, *map(str, numbers))
    return {
        "rate": heard["rate"],
        "p50": heard["p50"] * 1000,
        "p99": heard["p99"] * 1000,
        "lagged": heard["lagged"],
        "before": heard["before"] / MIB,
        "after": heard["after"] / MIB,
    }


def _rates(found: dict[str, dict[str, float]], scale: Scale, rounds: int) -> Table:
    rows = [Row("committed, nobody listens", found["source"]["rate"], None, "events/s")]
    for count in SUBSCRIBERS:
        ours, bare = found[f"stopped {count}"]["rate"], found[f"bare {count}"]["rate"]
        alone = found[f"kezd {count}"]["rate"]
        rows += [
            Row(f"committed and read by {count}, one more stopped", ours, bare, "events/s"),
            Row(f"deliveries to {count}", ours * count, bare * count, "/s"),
            Row(
                f"beside a stopped one, baseline: without it, {count}",
                ours,
                alone,
                "events/s",
                "≥ 0.5",
                "≥ 0.9",
            ),
        ]
    lags = sum(found[f"{kind} {count}"]["lagged"] for kind in ("kezd", "stopped") for count in SUBSCRIBERS)
    return Table(
        "Events: how many",
        rows,
        [
            f"{scale.events:,} deliveries a cell, at least {scale.events_least:,} and at most {MOST_EVENTS:,} events, durable, {BATCH} in a"
            f" transaction, 256 bytes of text each, as fast as they can be committed; from the order until the last"
            f" reader had the last one, median of {rounds} rounds. All readers are one epoll process, and count that"
            f" nothing is missing or double; a reader that lagged takes its subscription up again ({lags:g} times).",
            "The stopped one subscribes and never reads. Baseline: Trio, the same lines to the same number of sockets,"
            " the stopped one skipped; no log, no subscriptions, no bounds.",
        ],
    )


def _latencies(found: dict[str, dict[str, float]], scale: Scale, rounds: int) -> Table:
    rows = []
    for count in SUBSCRIBERS:
        alone, stopped, bare = (found[f"{kind} {count}"] for kind in ("kezd", "stopped", "bare"))
        rows += [
            Row(f"committed → read, {count}, one more stopped, p50", stopped["p50"], bare["p50"], "ms"),
            Row(f"committed → read, {count}, one more stopped, p99", stopped["p99"], bare["p99"], "ms"),
            Row(
                f"the same p50, baseline: nobody stopped, {count}",
                stopped["p50"],
                alone["p50"],
                "ms",
                "≤ 2",
                "≤ 1.1",
            ),
            Row(
                f"the same p99, baseline: nobody stopped, {count}",
                stopped["p99"],
                alone["p99"],
                "ms",
                "≤ 2",
                "≤ 1.3",
            ),
        ]
    return Table(
        "Events: how soon",
        rows,
        [
            f"{scale.events_singles} events one by one, {PAUSE * 1000:g} ms apart, after the many above: the stopped"
            f" one's buffers are full by then. From the commit until a reader has the line, over all readers; median of"
            f" {rounds} rounds. Baseline: as above."
        ],
    )


def _memory(found: dict[str, dict[str, float]], scale: Scale) -> Table:
    most = SUBSCRIBERS[-1]
    rows = []
    for count in SUBSCRIBERS:
        one = found[f"stopped {count}"]
        rows.append(
            Row(
                f"{count} subscribers and a stopped one, baseline: before", one["after"], one["before"], "MiB"
            )
        )
    after = found[f"stopped {most}"]["after"], found[f"kezd {most}"]["after"]
    rows.append(Row(f"{most} and a stopped one, baseline: nobody stopped", *after, "MiB", "≤ 1.2", "≤ 1.05"))
    return Table(
        "Events: the daemon's memory",
        rows,
        [
            "Anonymous memory with everybody still connected, after the events of the tables above"
            f" ({scale.events:,} deliveries); medians. What waits for one that does not read is bounded: 1,024 events of"
            " its queue, 0.5 MiB of its outbox, and what the kernel takes."
        ],
    )
