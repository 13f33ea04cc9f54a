"""Messages end to end, beside nats-py on the same nats-server, under both settings of its disk.

What is compared: two peers, from `chat.send` on one socket to the event and the receipt on the
other two, everything encrypted, signed and stored at both ends, against bare JetStream publishes
and pulls of as many bytes. Two cores carry both peers, the broker, home and the load.
"""

import os
import tempfile
import time
from pathlib import Path

from bench.figures import Sample, interleave, percentile
from bench.people import Pair, open_pair
from bench.processes import Child, run
from bench.scale import Scale
from bench.table import Row, Table

BYTES = 256
DISK_SYNCS = 100
DISK_BYTES = 32 * 1024
DISK_REST = 0.002
"""Seconds, about as long as a peer rests between two messages that come one by one."""
CONNECTIONS = 4
"""Of the client that sends: the daemon takes 64 calls at once from each."""
SYNC = {
    "always": "always (each message is on disk before its acknowledgement)",
    "2m": "nats-server's default (2 min)",
}


def measure(scale: Scale) -> list[Table]:
    """One table for each setting."""
    return [_under(setting, scale) for setting in SYNC]


def _under(setting: str, scale: Scale) -> Table:
    with (
        tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory,
        open_pair(Path(directory), ("--sync-interval", setting)) as pair,
    ):
        many = interleave(
            {"kezd": lambda: _pipelined(pair, scale), "bare": lambda: _bare_pipelined(pair, scale)},
            scale.rounds,
        )
        one = interleave(
            {
                "kezd": lambda: _single(pair, scale),
                "bare": lambda: _bare_single(pair, scale),
                "disk": lambda: _disk(Path(directory) / "sync"),
            },
            scale.rounds,
        )
    ours, bare, kezd, nats = many["kezd"], many["bare"]["rate"], one["kezd"], one["bare"]
    return Table(
        f"Messages of {BYTES} bytes, broker syncs {SYNC[setting]}",
        [
            Row("pipelined, every receipt back", ours["confirmed"], bare, "msg/s", "≥ 0.10", "≥ 0.20"),
            Row("pipelined, all received", ours["received"], bare, "msg/s"),
            Row("pipelined, all queued", ours["answered"], bare, "msg/s"),
            Row("send → notification, p50", kezd["arrival_p50"], nats["p50"], "ms", "≤ 8", "≤ 5"),
            Row("send → notification, p99", kezd["arrival_p99"], nats["p99"], "ms"),
            Row(
                "the same p99, baseline: own p50",
                kezd["arrival_p99"],
                kezd["arrival_p50"],
                "ms",
                "≤ 3",
                "≤ 2",
            ),
            Row("send → delivered receipt, p50", kezd["receipt_p50"], nats["p50"], "ms"),
            Row("send → delivered receipt, p99", kezd["receipt_p99"], nats["p99"], "ms"),
            Row("the disk alone: one fsync, p50", one["disk"]["p50"], None, "ms"),
            Row("the disk alone: one fsync, p99", one["disk"]["p99"], None, "ms"),
        ],
        [
            f"Pipelined: {scale.pipelined:,} messages from one client process, {CONNECTIONS} connections, with idempotency keys;"
            f" one by one: {scale.singles:,}, the next when the receipt is back. Medians of {scale.rounds} rounds.",
            "Baseline: nats-py on uvloop on the same nats-server, file storage: publishes acknowledged by the server,"
            " a second process pulls and acknowledges; one by one: publish → delivered in the second process.",
            "A message is on two disks (both this one) before it is notified: two fsyncs are part of each latency.",
        ],
    )


def _disk(path: Path) -> Sample:
    """Milliseconds of an fsync after 32 KiB and a rest: what a commit cannot be faster than."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(DISK_SYNCS):
            time.sleep(DISK_REST)
            file.write(bytes(DISK_BYTES))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    return {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}


def _pipelined(pair: Pair, scale: Scale) -> Sample:
    heard = run(
        "chat_load", "pipelined", *pair.sockets, pair.to, str(scale.pipelined), str(BYTES), str(CONNECTIONS)
    )
    return {name: scale.pipelined / seconds for name, seconds in heard.items()}


def _single(pair: Pair, scale: Scale) -> Sample:
    heard = run("chat_load", "single", *pair.sockets, pair.to, str(scale.singles), str(BYTES), "1")
    return {name: seconds * 1000 for name, seconds in heard.items()}


def _bare_pipelined(pair: Pair, scale: Scale) -> Sample:
    arguments = (str(pair.home.directory), pair.home.nats_url, str(scale.pipelined), str(BYTES))
    with Child.start("bare_nats", "consume", *arguments) as consumer:
        consumer.hear()
        with Child.start("bare_nats", "publish", *arguments) as publisher:
            publisher.hear()
            publisher.tell("go")
            begun, ended = publisher.hear()["begun"], consumer.hear()["consumed"]
    return {"rate": scale.pipelined / (ended - begun)}


def _bare_single(pair: Pair, scale: Scale) -> Sample:
    arguments = (str(pair.home.directory), pair.home.nats_url, str(scale.singles), str(BYTES))
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        back = str(Path(directory) / "back")
        with Child.start("bare_nats", "single", *arguments, back) as sender:
            sender.hear()
            with Child.start("bare_nats", "answer", *arguments, back) as receiver:
                receiver.hear()
                sender.tell("go")
                heard = sender.hear()
    return {name: seconds * 1000 for name, seconds in heard.items()}
