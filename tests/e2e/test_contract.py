"""What real peers answer and announce is what the published document says, member by member."""

import copy
from typing import Any

import pytest
import trio
from jsonschema import Draft202012Validator, ValidationError

from kezd.api.events import EPHEMERAL, Topic
from kezd.api.openrpc import build_document
from kezd.client.trio_client import open_client
from kezd.testing.people import Json, Person, World


def closed_document() -> Json:
    """The document, its results refusing members that it does not name."""
    document = copy.deepcopy(build_document())
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


DOCUMENT = closed_document()


def check(schema: Json, value: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def called(person: Person, name: str, **params: Any) -> Json:
    """Call a method and hold parameters and result to the document."""
    method = next(m for m in DOCUMENT["methods"] if m["name"] == name)
    for given, value in params.items():
        check(next(p for p in method["params"] if p["name"] == given)["schema"], value)
    result = person.call(name, **params)
    check(method["result"]["schema"], result)
    return result


def logged(person: Person) -> list[Json]:
    """The durable log from its beginning to its end now."""
    topics = [topic.value for topic in Topic if topic not in EPHEMERAL]
    place = person.call("events.subscribe", topics=topics)

    async def listen() -> list[Json]:
        found: list[Json] = []
        with trio.fail_after(20):
            async with (
                open_client(str(person.peer.socket)) as client,
                client.events(topics, {"epoch": place["epoch"], "seq": 0}) as events,
            ):
                async for event in events:
                    found.append(event)
                    if event["seq"] >= place["seq"]:
                        return found
        raise AssertionError("the daemon ended the subscription")

    return trio.run(listen)


def test_answers_and_events_are_as_documented(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    eve = world.registered("eve", world.homes[0].url)
    for person in (alice, bob, eve):
        for name in ("identity.show", "daemon.version", "daemon.health", "contacts.list", "daemon.doctor"):
            called(person, name)
    news = alice.peer.client()
    rows = news.events(["conversation"])
    sent = called(alice, "chat.send", to="@bob", text="hello", idempotency_key="k")["message"]["id"]
    bob.wait_for("@alice", [sent])
    called(bob, "chat.read", contact="@alice")
    with news:
        shown = next(rows)
    assert (shown["seq"], shown["event"]["conversation"]["last"]["id"]) == (0, sent)
    check(next(row for row in DOCUMENT["x-topics"] if row["name"] == "conversation")["body"], shown["event"])
    alice.wait_states([sent], {"read"})
    called(alice, "chat.history", contact="@bob", limit=10)
    called(alice, "chat.history", contact="@bob", limit=10, after=0)
    called(alice, "chat.message", id=sent)
    called(alice, "chat.conversations")
    called(alice, "contacts.show", contact="@bob")
    called(alice, "contacts.refresh", contact="@bob")
    called(eve, "contacts.add", handle="@alice")
    greeting = called(eve, "chat.send", to="@alice", text="who are you?")["message"]["id"]
    alice.wait_for(eve.call("identity.show")["primary"], [greeting])
    called(alice, "contacts.accept", contact=eve.call("identity.show")["primary"])
    called(alice, "contacts.block", contact="@bob")

    topics = {row["name"]: row for row in DOCUMENT["x-topics"]}
    notice = next(row for row in DOCUMENT["x-notifications"] if row["name"] == "event")
    seen = set()
    for person in (alice, bob, eve):
        for event in logged(person):
            assert set(event) == {member["name"] for member in notice["params"]}
            check(topics[event["topic"]]["body"], event["event"])
            seen.add((event["topic"], event["event"]["type"]))
    assert {
        ("message", "request"),
        ("message", "received"),
        ("message", "sent"),
        ("message", "state"),
        ("message", "seen"),
    } <= seen
    assert {("contact", "added"), ("contact", "request"), ("identity", "registered")} <= seen


@pytest.mark.parametrize("wrong", [{"ok": "yes"}, {"ok": True, "more": 1}])
def test_the_check_really_looks(wrong: Json) -> None:
    with pytest.raises(ValidationError):
        check({"$ref": "#/components/schemas/Done"}, wrong)
