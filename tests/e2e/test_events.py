"""Events are lossless: a client that was away, through kill -9 of the peer, misses none and sees none twice."""

import trio

from kezd.client.trio_client import open_client
from kezd.testing.people import Json, Person, World

PATIENCE = 20


def events_since(person: Person, since: Json | None, wanted: int) -> list[Json]:
    """The next `wanted` message events after a place in the log."""

    async def listen() -> list[Json]:
        found: list[Json] = []
        with trio.fail_after(PATIENCE):
            async with (
                open_client(str(person.peer.socket)) as client,
                client.events(["message"], since) as events,
            ):
                async for event in events:
                    found.append(event)
                    if len(found) == wanted:
                        return found
        raise AssertionError("the daemon ended the subscription")

    return trio.run(listen)


def test_a_client_that_was_away_misses_nothing(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    place = bob.call("events.subscribe", topics=["message"])
    start = {"epoch": place["epoch"], "seq": place["seq"]}
    sent = []
    for _ in range(3):
        sent += [alice.send("@bob", f"text {len(sent)}") for _ in range(10)]
        bob.wait_for("@alice", sent)
        bob.peer.kill()
        bob.hang_up()
        bob.peer.start()
    first = events_since(bob, start, 20)
    rest = events_since(bob, {"epoch": first[-1]["epoch"], "seq": first[-1]["seq"]}, 10)
    events = first + rest
    assert {event["epoch"] for event in events} == {start["epoch"]}, "the log outlives the process"
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert all(event["event"]["type"] == "received" for event in events)
    assert [event["event"]["message"]["id"] for event in events] == sent
