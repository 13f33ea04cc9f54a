"""A day of use without its pauses, through one peer: what it holds must not grow with what it did.

Texts both ways with receipts and reads, subscriptions that come and go, a consumer with
acknowledgements, clients that stop reading or are cut off in the middle of a line, calls that look.
Events are counted by the peer's own log. The short twin runs with every test, a million events with
`--soak`; both print their figures.
"""

import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from kezd.client.sync import Client
from kezd.testing.people import PATIENCE, Person, World, wait_until

KIB, MIB = 1024, 1024 * 1024
TEXT = "x" * 256
BURST = 150
"""Texts each way in one round."""
STOPPED_AT_ONCE = 4
"""Clients that have subscribed and read nothing, the oldest gives way to the next."""
WARM = 0.35
"""Part of the events after which the fit begins: caches are full, every path was taken."""
PAUSE_OF_HOUSEKEEPING = 60.0
FD_SLACK = 6
"""A client that has just gone may still be held."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a peer held when its log was at `seq`."""

    seq: int
    at: float
    rss: int
    fds: int
    stored: int
    kept: int
    """Events in the log."""
    texts: int


def slope(samples: Sequence[Sample], of: Sequence[int]) -> float:
    """Least squares: what `of` grows by with each 100,000 events."""
    xs = [sample.seq / 100_000 for sample in samples]
    mean_x, mean_y = sum(xs) / len(xs), sum(of) / len(of)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, of, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def fds_of(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


class Wire:
    """A bare connection with ready-made lines, for what the client library does not do."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))
        self._reader = self.sock.makefile("rb")
        self.ask([self.line("session.initialize", client={"name": "soak"})])

    @staticmethod
    def line(method: str, **params: object) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"

    def ask(self, lines: list[bytes]) -> list[dict]:
        """Everything at once; as many answers."""
        self.sock.sendall(b"".join(lines))
        answers = [json.loads(self._reader.readline()) for _ in lines]
        assert all("result" in answer for answer in answers), answers
        return answers

    def close(self) -> None:
        self._reader.close()
        self.sock.close()


class Day:
    """The rounds of a day, and what was seen on the way."""

    def __init__(self, people: Sequence[Person], stack: ExitStack) -> None:
        self.people = people
        self.samples: list[Sample] = []
        self._stack = stack
        self._wires = {person.name: self._wire(person) for person in people}
        self._stopped: list[Wire] = []
        self._bots: dict[str, Client] = {
            p.name: stack.enter_context(p.peer.client(timeout=PATIENCE)) for p in people
        }
        self._handled = dict.fromkeys(self._bots, 0)
        self._round = 0
        self._texts = 0

    def _wire(self, person: Person) -> Wire:
        wire = Wire(person.peer.socket)
        self._stack.callback(wire.close)
        return wire

    def round(self) -> None:
        """A little of everything."""
        self._round += 1
        self._stop_reading()
        self._cut_off()
        last = [self._send(person, other) for person, other in self._pairs()]
        for (person, _), message in zip(self._pairs(), last, strict=True):
            person.wait_states([message])
        self._texts += 2 * BURST
        for person, other in self._pairs():
            person.call("chat.read", contact=f"@{other.name}", idempotency_key=f"read-{self._round}")
            self._look(person, other)
            self._handle(person)

    def sample(self) -> Sample:
        """Of the first person's peer, whose day it is."""
        person = self.people[0]
        with person.peer.client(timeout=PATIENCE) as client:
            begun = client.call("events.subscribe", topics=["message"])
        pid, data = person.peer.pid, person.peer.directory / "data"
        rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        sample = Sample(
            seq=begun["seq"], at=time.monotonic(), rss=rss, fds=fds_of(pid),
            stored=sum(path.stat().st_size for path in data.rglob("peer.db*")),
            kept=begun["seq"] - begun["first_seq"] + 1, texts=self._texts,
        )  # fmt: skip
        self.samples.append(sample)
        return sample

    def _pairs(self) -> list[tuple[Person, Person]]:
        one, other = self.people
        return [(one, other), (other, one)]

    def _send(self, person: Person, other: Person) -> str:
        """A burst, one in ten with a key, once again where there was one; the id of the last."""
        wire, to = self._wires[person.name], f"@{other.name}"
        lines = [wire.line("chat.send", to=to, text=TEXT) for _ in range(BURST - BURST // 10)]
        keyed = [
            wire.line("chat.send", to=to, text=TEXT, idempotency_key=f"{self._round}-{number}")
            for number in range(BURST // 10)
        ]
        wire.ask(lines)
        first, again = wire.ask(keyed), wire.ask(keyed)
        ids = {answer["result"]["message"]["id"] for answer in first}
        assert ids == {answer["result"]["message"]["id"] for answer in again}
        assert len(ids) == len(keyed)
        newest = max(
            (answer["result"]["message"] for answer in first), key=lambda message: message["position"]
        )
        return newest["id"]

    def _stop_reading(self) -> None:
        """One more client subscribes and never reads; one that did is gone without a word."""
        for person in self.people:
            wire = Wire(person.peer.socket)
            wire.ask([wire.line("events.subscribe", topics=["message"])])
            self._stopped.append(wire)
        while len(self._stopped) > STOPPED_AT_ONCE:
            self._stopped.pop(0).close()

    def let_go(self) -> None:
        """Those that read nothing go."""
        while self._stopped:
            self._stopped.pop().close()

    def _cut_off(self) -> None:
        """A client ends in the middle of a line, another with a call under way."""
        for person in self.people:
            wire = Wire(person.peer.socket)
            wire.sock.sendall(wire.line("chat.send", to="@nobody", text=TEXT)[:40])
            wire.close()
            wire = Wire(person.peer.socket)
            wire.sock.sendall(wire.line("chat.history", contact=f"@{self.people[0].name}", limit=200))
            wire.close()

    def _look(self, person: Person, other: Person) -> None:
        assert person.call("daemon.health")["state"] == "open"
        assert len(person.call("chat.history", contact=f"@{other.name}", limit=50)["items"]) == 50
        person.call("chat.conversations", limit=10)
        person.call("contacts.list")
        person.call("profiles.list")
        with person.peer.client(timeout=PATIENCE) as client:
            begun = client.call("events.subscribe", topics=["message", "contact", "link"], snapshot=True)
            client.call("events.unsubscribe", subscription=begun["subscription"])

    def _handle(self, person: Person) -> None:
        """A bot under a name works off what has come since, each event once."""
        bot, before = self._bots[person.name], self._handled[person.name]
        events = bot.events(["message"], consumer="bot", follow=False)
        seqs = [event["seq"] for event in events]
        assert seqs == sorted(set(seqs))
        assert not seqs or seqs[0] > before
        self._handled[person.name] = events.ack()


def run(world: World, *, events: int, keep: int, rss_most: float, text_most: float, gap: int) -> None:
    """A day of so many events at the first peer, of which the log is to keep `keep`.

    `rss_most`: bytes that its memory may grow by with 100,000 events after the warm-up.
    `text_most`: bytes that its database may grow by with each text, the log of its events included, whose old
    end makes room for what comes. `gap`: events between two samples.
    """
    people = world.friends("alice", "bob", environ={"KEZD_EVENTS_KEEP_COUNT": str(keep)})
    alice = people[0]
    with ExitStack() as stack:
        day = Day(people, stack)
        stack.callback(day.let_go)
        day.round()
        first = last = day.sample()
        while last.seq - first.seq < events:
            day.round()
            if day.people[0].call("events.consumers")["items"][0]["acked"] - last.seq >= gap:
                last = day.sample()
    pid = alice.peer.pid
    warm = [sample for sample in day.samples if sample.seq - first.seq >= WARM * events]
    rss = slope(warm, [sample.rss for sample in warm])
    wait_until(
        "the descriptors of those who went are closed",
        lambda: fds_of(pid) <= first.fds,
    )
    report(first, last, warm, rss)
    assert rss <= rss_most
    assert last.stored - first.stored <= text_most * (last.texts - first.texts)
    assert max(sample.fds for sample in warm) - min(sample.fds for sample in warm) <= FD_SLACK
    check_log_in_use(day.samples, keep)
    check_log_of_a_restart(alice, keep)


def report(first: Sample, last: Sample, warm: Sequence[Sample], rss: float) -> None:
    seconds, count = last.at - first.at, last.seq - first.seq
    stored = (last.stored - first.stored) / max(1, last.texts - first.texts)
    print(
        f"\n{count:,} events, {last.texts:,} texts in {seconds:.0f} s ({count / seconds:,.0f} events/s);"
        f" resident {first.rss / MIB:.1f} MiB after the first round, {warm[0].rss / MIB:.1f} after the warm-up,"
        f" {last.rss / MIB:.1f} at the end: {rss / KIB:+,.0f} KiB for 100,000 events ({len(warm)} samples);"
        f" descriptors {min(s.fds for s in warm)} to {max(s.fds for s in warm)};"
        f" database {first.stored / MIB:.1f} to {last.stored / MIB:.1f} MiB, {stored:,.0f} bytes a text;"
        f" events kept at most {max(s.kept for s in (first, *warm)):,}"
    )


def check_log_in_use(samples: Sequence[Sample], keep: int) -> None:
    """While it runs, the log has what is to be kept and what came since housekeeping last looked."""
    for sample in samples:
        earlier = [one.seq for one in samples if one.at < sample.at - 2 * PAUSE_OF_HOUSEKEEPING]
        assert sample.kept <= keep + sample.seq - (earlier[-1] if earlier else 0)


def check_log_of_a_restart(person: Person, keep: int) -> None:
    """Housekeeping looks at every start: then the setting's number is left, and the last receipts that came since."""
    person.peer.restart()
    kept: list[int] = []

    def cut() -> bool:
        with person.peer.client() as client:
            begun = client.call("events.subscribe", topics=["message"])
        kept.append(begun["seq"] - begun["first_seq"] + 1)
        return kept[-1] <= keep + BURST

    wait_until("the log is cut", cut)
    assert kept[-1] >= keep


def test_a_short_day(world: World) -> None:
    run(world, events=20_000, keep=5_000, rss_most=32 * MIB, text_most=4 * KIB, gap=1_000)


@pytest.mark.soak
def test_a_million_events(world: World) -> None:
    run(world, events=1_000_000, keep=50_000, rss_most=1 * MIB, text_most=2.5 * KIB, gap=10_000)
