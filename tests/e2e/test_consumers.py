"""A named consumer misses nothing, with real processes: the bot is killed, the daemon is killed, both come back."""

import json
import signal
import subprocess
import sys

import pytest

from kezd.client.sync import Client
from kezd.errors import RequestError, Slug
from kezd.testing.crash_points import Point
from kezd.testing.peer_driver import BESIDE_PYTHON
from kezd.testing.people import World, wait_until

BOT = """
import sys
from kezd.client.sync import Client
with Client.connect(sys.argv[1]) as client:
    events = client.events(["message"], consumer="bot")
    print("ready", flush=True)
    for event in events:
        print(event["seq"], event["event"]["type"], event["event"]["message"]["id"], flush=True)
        if input() == "ack":
            print("acked", events.ack(), flush=True)
"""


class Bot:
    """A program that says what it gets, and acknowledges when it is told."""

    def __init__(self, peer) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BOT, str(peer.socket)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.line() == ["ready"]

    def line(self) -> list[str]:
        return self.process.stdout.readline().split()

    def ack(self) -> int:
        self.say("ack")
        word, seq = self.line()
        assert word == "acked"
        return int(seq)

    def say(self, text: str) -> None:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def received(lines):
    return [line for line in lines if line[1] == "received"]


def test_a_bot_killed_between_event_and_acknowledgement_gets_it_again(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    bot = Bot(bob.peer)
    first = alice.send("@bob", "one")
    line = bot.line()
    assert line[1:] == ["received", first]
    assert bot.ack() == int(line[0])
    second = alice.send("@bob", "two")
    again = bot.line()
    assert again[1:] == ["received", second]
    bot.kill()  # it has the event, and has not said that it is done with it
    third = alice.send("@bob", "three")
    bob.wait_for("@alice", [first, second, third])
    bot = Bot(bob.peer)
    assert bot.line() == again
    bot.say("no")
    assert bot.line()[1:] == ["received", third]
    last = bot.ack()
    bot.kill()
    (row,) = bob.call("events.consumers")["items"]
    assert (row["name"], row["acked"], row["lag"], row["lost"]) == ("bot", last, 0, False)


def kez_events(peer, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(BESIDE_PYTHON / "kez"), "--home-dir", str(peer.directory), "--json", "events", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def consumer_is_there(person, name: str):
    return lambda: any(
        row["name"] == name and row["connected"] for row in person.call_surely("events.consumers")["items"]
    )


@pytest.mark.parametrize("count", [1, 3])
def test_a_daemon_killed_between_commit_and_delivery(world: World, count: int) -> None:
    """The same program goes on: nothing missing, nothing twice, order kept, one epoch."""
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", "before")]
    bob.wait_for("@alice", sent)
    bob.peer.restart(crash=Point.STORED.at(count))
    bob.wait_online()
    place = bob.call("events.subscribe", topics=["message"])
    listener = kez_events(bob.peer, "--follow", "--consumer", "bot", "--topics", "message")
    try:
        wait_until("the bot listens", consumer_is_there(bob, "bot"))
        while bob.peer.poll() is None:
            sent.append(alice.send("@bob", f"text {len(sent)}"))
            alice.wait_states(sent[-1:], {"accepted", "delivered", "read"})
        bob.wait_death()
        assert bob.peer.exit_codes[-1] == -signal.SIGKILL
        sent += [alice.send("@bob", "after") for _ in range(3)]
        bob.wait_for("@alice", sent)
        events = []
        while len([e for e in events if e["event"]["type"] == "received"]) < len(sent) - 1:
            events.append(json.loads(listener.stdout.readline()))
    finally:
        listener.kill()
        listener.communicate()
    assert [e["event"]["message"]["id"] for e in events if e["event"]["type"] == "received"] == sent[1:]
    seqs = [e["seq"] for e in events]
    assert seqs == list(range(place["seq"] + 1, place["seq"] + 1 + len(seqs))), (
        "no seq was given twice or left out"
    )
    assert {e["epoch"] for e in events} == {place["epoch"]}


def test_retention_respects_a_consumer_and_its_end_is_told(world: World) -> None:
    home = world.home()
    alice = world.registered("alice", home.url)
    bob = world.registered("bob", home.url, environ={"KEZD_EVENTS_KEEP_COUNT": "5"})
    bob.add("@alice"), alice.add("@bob")
    with Client.connect(str(bob.peer.socket)) as client:
        begun = client.events(["message"], consumer="bot").begun
    start = {"epoch": begun["epoch"], "seq": 0}
    sent = [alice.send("@bob", f"text {n}") for n in range(20)]
    bob.wait_for("@alice", sent)
    bob.peer.restart()
    wait_until("housekeeping has run", lambda: bob.call("events.subscribe", topics=["link"])["first_seq"] > 1)
    with pytest.raises(RequestError) as caught:
        bob.call("events.subscribe", topics=["message"], since=start)
    assert caught.value.slug is Slug.CANNOT_REPLAY
    with Client.connect(str(bob.peer.socket)) as client:
        events = client.events(["message"], consumer="bot", follow=False)
        got = [e["event"]["message"]["id"] for e in events if e["event"]["type"] == "received"]
        assert got == sent, "kept for the consumer, over the count"
        events.ack()
    bob.peer.restart()
    wait_until(
        "what is acknowledged goes",
        lambda: (lambda place: place["seq"] - place["first_seq"] == 4)(
            bob.call("events.subscribe", topics=["link"])
        ),
    )


def test_the_snapshot_is_what_the_single_calls_say(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    sent = [alice.send("@bob", f"text {n}") for n in range(3)]
    bob.wait_for("@alice", sent)
    begun = bob.call("events.subscribe", topics=["message", "contact"], snapshot=True)
    shown = begun["snapshot"]
    assert shown["identity"] == bob.call("identity.show")
    assert shown["conversations"] == bob.call("chat.conversations")
    assert shown["unread"] == 3
    assert shown["contacts"] == {"accepted": 1, "requests": 0, "blocked": 0, "alarms": 0}
    assert [link["name"] for link in shown["links"]] == [link["name"] for link in bob.health()["links"]]
    assert begun["seq"] >= 3
