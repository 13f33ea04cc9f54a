"""Clocks that are wrong or jump: nothing is decided by them but what is shown."""

import time
from pathlib import Path

import pytest

from kezd.runtime.clock import SystemClock
from kezd.testing.people import PATIENCE, Person, World, befriend, elapsed_at_most, shifted

DAY = 86_400
REAL = SystemClock()
LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"),
    Path("/usr/lib/faketime/libfaketime.so.1"),
)


class FakeTime:
    """The wall clock of one process, set by a file that it reads again and again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)
        self.environ = {
            "LD_PRELOAD": str(next(path for path in LIBRARIES if path.exists())),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "0",
            "FAKETIME_NO_CACHE": "1",
        }

    def set(self, seconds: float) -> None:
        """Jump to so many seconds off the real time."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{seconds:+.0f}\n")
        beside.replace(self._file)


def exchange(alice: Person, bob: Person, sent: list[str], answers: list[str]) -> None:
    """A text and an answer, both confirmed."""
    sent.append(alice.send("@bob", f"text {len(sent)}"))
    bob.wait_for("@alice", sent)
    answers.append(bob.send("@alice", f"answer {len(answers)}"))
    alice.wait_for("@bob", answers)
    alice.wait_states(sent)
    bob.wait_states(answers)


@pytest.mark.needs("faketime")
def test_the_conversation_survives_jumps_of_two_days(world: World) -> None:
    clock = FakeTime(world.directory / "time")
    home = world.home()
    bob = world.registered("bob", home.url)
    alice = world.registered("alice", home.url, environ=clock.environ)
    befriend(alice, bob)
    sent: list[str] = []
    answers: list[str] = []
    flagged: set[str] = set()
    for jump in (0, 2 * DAY, -2 * DAY, 0):
        clock.set(jump)
        exchange(alice, bob, sent, answers)
        if jump > 0:
            flagged.add(sent[-1])
            off = bob.message(sent[-1])["sent_at"] / 1000 - REAL.now()
            assert abs(off - jump) < 60, "the library works"
        alice.peer.restart()
        exchange(alice, bob, sent, answers)
        if jump > 0:
            flagged.add(sent[-1])
    order = [m["id"] for m in bob.history("@alice")]
    assert order == [i for pair in zip(sent, answers, strict=True) for i in pair]
    assert [m["id"] for m in alice.history("@bob")] == order
    assert {m["id"] for m in bob.history("@alice") if m["future_dated"]} == flagged


@pytest.mark.needs("faketime")
def test_a_clock_that_jumps_while_the_other_is_away(world: World) -> None:
    clock = FakeTime(world.directory / "time")
    home = world.home()
    bob = world.registered("bob", home.url)
    alice = world.registered("alice", home.url, environ=clock.environ)
    befriend(alice, bob)
    bob.peer.stop()
    sent = []
    for jump in (0, 2 * DAY, -2 * DAY, 100 * DAY, 0):
        clock.set(jump)
        sent.append(alice.send("@bob", f"at {jump}"))
        alice.wait_states(sent[-1:], {"accepted"})
    bob.peer.start()
    bob.wait_for("@alice", sent)
    alice.wait_states(sent)
    assert all(alice.message(i)["state"] != "failed" for i in sent), "nothing expired by a jump"


@pytest.mark.needs("faketime")
def test_calls_under_way_do_not_notice(world: World) -> None:
    """What waits, waits as long as it was going to; no connection ends, no key is mistaken."""
    clock = FakeTime(world.directory / "time")
    alice = world.person("alice", "http://127.0.0.1:1", environ=clock.environ)
    alice.make_identity()
    answers = {str(place): word for place, word in enumerate(alice.words, 1)}
    with alice.peer.client(timeout=PATIENCE) as client:
        client.call("events.subscribe", topics=["identity", "link"])
        keyed = client.call("identity.confirm", answers=answers, idempotency_key="k")
        for jump in (DAY / 2, -2 * DAY, 0, 30 * DAY, -30 * DAY, 0):
            with elapsed_at_most(PATIENCE / 2):
                for number in range(60):
                    if number == 30:
                        clock.set(jump)
                    assert client.call("daemon.health")["state"] == "open"
                assert client.call("identity.confirm", answers=answers, idempotency_key="k") == keyed
                assert client.call("identity.show")["state"] == "unregistered"


def test_midnight_of_the_home(world: World) -> None:
    """Tags are of one UTC day of home's clock: senders go on over midnight."""
    home = world.home()
    alice, bob = world.friends("alice", "bob")
    home.stop()
    before_midnight = DAY - REAL.now() % DAY - 4
    with shifted(home, before_midnight):
        alice.wait_online()
        bob.wait_online()
        sent, answers = [], []
        began = time.monotonic()
        while time.monotonic() - began < 7:
            exchange(alice, bob, sent, answers)
        assert len(sent) > 3
    home.restart()
    exchange(alice, bob, sent, answers)
