"""Two peers in bad weather: attempts and answers lost, mail reordered and repeated, peers stopped anywhere.

0 lost, 0 shown twice, order kept, every state true in the end.
"""

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.runtime.settings import ChatSettings
from kezd.testing.chat_people import Person, befriend
from kezd.testing.memory_pipe import Luck, MemoryBroker

IMPATIENT = ChatSettings(retry_base_s=0.01, retry_ceiling_s=0.02)
DEADLINE = 60


class BadWeather:
    """A storm until `calm`."""

    def __init__(self, random):
        self._random = random
        self.calm = False

    def luck(self):
        if self.calm:
            return Luck.GOOD
        return self._random.choice([Luck.GOOD] * 4 + [Luck.LOST, Luck.ANSWER_LOST])

    def arrange(self, waiting):
        if self.calm:
            return waiting
        arrived = [one for one in waiting for _ in range(self._random.choice([0, 1, 1, 1, 2]))]
        self._random.shuffle(arrived)
        return arrived


class Side:
    """One person and what they know they have sent."""

    def __init__(self, person, random):
        self.person = person
        self.random = random
        self.sent = []
        self.number = 0

    async def live(self, other, rounds):
        """Run, write, be stopped at some await, again."""
        for _ in range(rounds):
            with trio.move_on_after(self.random.uniform(0.0, 0.12)):
                async with self.person.online() as running:
                    while True:
                        burst = self.random.choice([1, 1, 3, 20])
                        async with trio.open_nursery() as nursery:
                            for _ in range(burst):
                                nursery.start_soon(self.write, running, other)
                        await trio.sleep(self.random.uniform(0.0, 0.02))

    async def write(self, running, other):
        self.number += 1
        text = f"{self.person.number}:{self.number}"
        message = (await running.chat.send(other.handle, text)).message
        self.sent.append((message.position, text))

    def texts(self):
        return [text for _position, text in sorted(self.sent)]


async def settle(side, other_side):
    """Both online in calm weather until everything is delivered."""
    async with side.person.online() as one, other_side.person.online() as two:

        async def finished():
            for running in (one, two):
                waiting = await running.chat.waiting()
                if waiting["queued"] or waiting["undelivered"] or waiting["receipts"]:
                    return False
            return True

        while not await finished():
            await trio.sleep(0.01)
        for running, mine, other in ((one, side, other_side), (two, other_side, side)):
            await check(running, mine, other)


async def check(running, mine, other):
    shown = []
    cursor = None
    while True:
        page = await running.chat.history(other.person.handle, 500, cursor)
        shown = page.items + shown
        cursor = page.next_cursor
        if cursor is None:
            break
    received = [m for m in shown if m.direction == "in"]
    sent = [m for m in shown if m.direction == "out"]
    assert [m.text for m in received] == other.texts()
    assert [m.text for m in sent] == mine.texts()
    assert {m.state for m in sent} <= {"delivered"}
    assert [m.missing_before for m in received] == [0] * len(received)
    positions = [m.position for m in shown]
    assert positions == sorted(positions)
    if shown:
        [thread] = (await running.chat.conversations()).items
        assert (thread.missing, thread.unread) == (0, len(received))


async def play(random, directory, rounds):
    broker, weather = MemoryBroker(), BadWeather(random)
    alice = Person(1, directory, broker, settings=IMPATIENT, weather=weather)
    bob = Person(2, directory, broker, settings=IMPATIENT, weather=weather)
    befriend(alice, bob)
    sides = Side(alice, random), Side(bob, random)
    with trio.fail_after(DEADLINE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sides[0].live, bob, rounds)
            nursery.start_soon(sides[1].live, alice, rounds)
            for _ in range(rounds):
                await trio.sleep(random.uniform(0.0, 0.1))
                broker.forget_keys()
                broker.switch(up=random.random() < 0.6)
        weather.calm = True
        broker.switch(up=True)
        await settle(*sides)


@settings(
    max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(random=st.randoms(use_true_random=True))
def test_nothing_is_lost_or_shown_twice(random, tmp_path_factory):
    trio.run(play, random, tmp_path_factory.mktemp("weather"), 6)


@pytest.mark.soak
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=True))
def test_nothing_is_lost_or_shown_twice_for_long(random, tmp_path_factory):
    trio.run(play, random, tmp_path_factory.mktemp("weather"), 20)
