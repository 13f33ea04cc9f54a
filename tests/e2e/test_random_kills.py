"""Texts both ways while peers, nats-server and the home server are killed at random.

The seed is printed; KEZD_TEST_SEED repeats a run. The short twin runs with every test, the
long one (5,000 texts) with `--soak`.
"""

import os
import random  # noqa: TID251 - a seed that can be given again is the point
import secrets
import threading
import time
from collections.abc import Callable

import pytest

from kezd.errors import KezdError
from kezd.testing.people import GONE, PATIENCE, BrokenPromiseError, Person, World, kill_nats

TEXTS_BETWEEN_LOOKS = 10


class Writer:
    """One person's half of the conversation: each text queued exactly once, whatever dies meanwhile."""

    def __init__(self, person: Person, to: str, texts: int) -> None:
        self.person = person
        self.to = to
        self.ids: list[str] = []
        self.failure: BaseException | None = None
        self._texts = texts
        self._thread = threading.Thread(target=self._run, name=f"writer-{person.name}")
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> list[str]:
        """Wait for the last one; their ids in order."""
        self._thread.join()
        if self.failure is not None:
            raise self.failure
        return self.ids

    def _run(self) -> None:
        try:
            for number in range(self._texts):
                self.ids.append(self._send(number))
        except BaseException as failure:  # noqa: BLE001 - raised again by join
            self.failure = failure

    def _send(self, number: int) -> str:
        key, text = f"{self.person.name}-{number}", f"{number} from {self.person.name}"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.person.send(self.to, text, idempotency_key=key)
            except KezdError as error:
                if error.slug not in GONE or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)


def kill_and_start(person: Person) -> None:
    person.peer.kill()
    person.peer.start()


def run(world: World, *, texts: int, kills: int) -> None:
    seed = int(os.environ.get("KEZD_TEST_SEED") or secrets.randbelow(2**32))
    print(f"KEZD_TEST_SEED={seed}")
    chance = random.Random(seed)
    alice, bob = world.friends("alice", "bob")
    home = world.homes[0]

    def kill_home() -> None:
        home.kill()
        home.restart()

    victims: list[Callable[[], None]] = [
        lambda: kill_and_start(alice), lambda: kill_and_start(bob), lambda: kill_nats(home), kill_home,
    ]  # fmt: skip
    plan = [victims[i % len(victims)] for i in range(kills)]
    chance.shuffle(plan)
    thresholds = sorted(chance.randrange(2 * texts) for _ in plan)
    writers = [Writer(alice, "@bob", texts), Writer(bob, "@alice", texts)]
    for threshold, kill in zip(thresholds, plan, strict=True):
        while sum(len(w.ids) for w in writers) < threshold and not all(w.done for w in writers):
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        kill()
    sent = {writer.person.name: writer.join() for writer in writers}
    patience = PATIENCE + texts / 50
    bob.wait_for("@alice", sent["alice"], patience)
    alice.wait_for("@bob", sent["bob"], patience)
    for person in (alice, bob):
        own = [
            m["id"]
            for m in person.history("@bob" if person is alice else "@alice")
            if m["direction"] == "out"
        ]
        if own != sent[person.name]:
            raise BrokenPromiseError(
                f"{person.name}'s own history differs from what was queued (seed {seed})"
            )
        person.wait_states(sent[person.name][-50:], patience=patience)


def test_short(world: World) -> None:
    run(world, texts=100, kills=4)


@pytest.mark.soak
def test_five_thousand_texts(world: World) -> None:
    run(world, texts=2500, kills=60)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_many_short_ones(world: World, number: int) -> None:
    run(world, texts=150, kills=10)
