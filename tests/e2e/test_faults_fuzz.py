"""A mutation fuzzer on the socket of a real daemon: no crash, no ERROR, nothing leaks, nobody else waits.

The seed is in each failure: the same one makes the same bytes.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kezd.client.sync import Client
from kezd.testing.people import World, wait_until

RATE = 400
"""Messages a second that the fuzzer sends: who sends without a pause is another test's."""
TIMES = 2.0
"""How much longer others may wait."""
GROWTH = 12 * 1024 * 1024
"""Bytes of memory that a daemon may gain in the second half: it has seen by then how much is asked at once."""
PHASE = 1.0
"""Seconds with, and seconds without the fuzzer, by turns."""
PAUSE = 0.002


class Attacker:
    """The fuzzer's process, which can be held."""

    def __init__(self, path: Path, seed: int, dots: Path) -> None:
        self._dots = dots
        with dots.open("wb") as output:
            command = [sys.executable, "-m", "kezd.testing.fuzz_client", str(path), str(seed), str(RATE)]
            self.process = subprocess.Popen(command, stdout=output)

    @property
    def conversations(self) -> int:
        assert self.process.poll() is None, "the fuzzer itself has ended"
        return self._dots.stat().st_size

    @contextmanager
    def held(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def attacker(path: Path, seed: int, dots: Path) -> Iterator[Attacker]:
    one = Attacker(path, seed, dots)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def latencies(client: Client, seconds: float) -> list[float]:
    """Of a cheap call, now and then."""
    found = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        client.call("daemon.version")
        found.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return found


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def fuzz(world: World, seed: int, seconds: float) -> None:
    person = world.person("alice", "http://127.0.0.1:1")
    person.make_identity()
    pid = person.peer.pid
    calm: list[float] = []
    attacked: list[float] = []
    with person.peer.client() as client:
        before = descriptors(pid)
        with attacker(person.peer.socket, seed, world.directory / "dots") as one:
            wait_until("the daemon is warm", lambda: one.conversations >= 30)
            until = time.monotonic() + seconds
            warm = 0
            while (left := until - time.monotonic()) > 0:
                if not warm and left < seconds / 2:
                    warm = resident(pid)
                with one.held():
                    time.sleep(0.1)
                    calm += latencies(client, PHASE)
                attacked += latencies(client, PHASE)
            conversations = one.conversations
        assert person.peer.poll() is None, f"seed {seed}: the daemon died"
        assert client.call("identity.show")["state"] == "unregistered"
        wait_until(f"seed {seed}: all descriptors are closed", lambda: descriptors(pid) <= before)
        grown = resident(pid) - warm
    figures = (
        f"seed {seed}: {conversations} conversations, {grown / 2**20:+.1f} MiB,"
        f" {statistics.median(calm) * 1e6:.0f} µs alone, {statistics.median(attacked) * 1e6:.0f} µs beside them"
    )
    print(figures)
    assert conversations > seconds, figures
    assert grown < GROWTH, figures
    assert statistics.median(attacked) <= TIMES * statistics.median(calm), figures


def test_twenty_seconds_of_nearly_right_messages(world: World) -> None:
    fuzz(world, seed=20, seconds=20)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_ten_minutes_of_nearly_right_messages(world: World, seed: int) -> None:
    fuzz(world, seed=seed, seconds=600)
