"""Calls on the socket: cheap ones beside a bare echo, the same on a busy peer, and the dispatcher alone."""

import tempfile
from functools import partial
from pathlib import Path

from bench import busy, dispatcher
from bench.figures import Sample, interleave
from bench.people import open_alone
from bench.processes import Child, run
from bench.scale import Scale
from bench.table import Row, Table

METHODS = ("daemon.version", "identity.show", "daemon.health")
CROWD = 50
ECHO = "echo"
CONNECTIONS = {"KEZD_RPC_CONNECTIONS": "64"}
"""The default of 32 is below the crowd."""


def measure(scale: Scale) -> list[Table]:
    """What the RPC costs, what load makes of it, and what jsonrpcserver's part is."""
    return [_cheap(scale), *busy.measure(scale), *dispatcher.measure(scale)]


def _cheap(scale: Scale) -> Table:
    """Round trips with one client and with fifty."""
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        echo_socket = str(Path(directory) / "echo.sock")
        with (
            open_alone(Path(directory) / "peer", CONNECTIONS) as peer,
            Child.start("rpc_echo", echo_socket) as echo,
        ):
            echo.hear()
            cells = {
                f"{method} {clients}": partial(_load, socket, method, clients, scale)
                for clients in (1, CROWD)
                for method, socket in ((ECHO, echo_socket), *((m, str(peer.socket)) for m in METHODS))
            }
            found = interleave(cells, scale.rounds)
    rows = []
    for method in METHODS:
        ours, bare = found[f"{method} 1"], found[f"{ECHO} 1"]
        must, aim = ("≥ 0.4", "≥ 0.7") if method == METHODS[0] else ("", "")
        rows += [
            Row(f"{method}, 1 client", ours["rate"], bare["rate"], "calls/s", must, aim),
            Row(f"{method}, 1 client, p50", ours["p50"], bare["p50"], "µs"),
            Row(f"{method}, 1 client, p99", ours["p99"], bare["p99"], "µs"),
        ]
        ours, bare = found[f"{method} {CROWD}"], found[f"{ECHO} {CROWD}"]
        rows.append(Row(f"{method}, {CROWD} clients", ours["rate"], bare["rate"], "calls/s", must, aim))
    return Table(
        "RPC: cheap calls",
        rows,
        [
            f"Each client has one call at a time; {scale.calls_seconds:g} s a cell, median of {scale.rounds} rounds."
            " The load is one process for itself. Baseline: JSON lines with Trio and msgspec, 30 lines,"
            " decoding each request and encoding a constant."
        ],
    )


def _load(socket: str, method: str, clients: int, scale: Scale) -> Sample:
    heard = run("rpc_load", socket, method, str(clients), str(scale.calls_seconds))
    return {
        "rate": heard["calls"] / heard["seconds"],
        "p50": heard["p50"] * 1e6,
        "p99": heard["p99"] * 1e6,
    }
