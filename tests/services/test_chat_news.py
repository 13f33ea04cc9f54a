"""What front-ends are told of conversations: one event for a burst, one for all that was seen, causes with words."""

import ast
import re
from pathlib import Path

import pytest
import trio
import trio.testing

import kezd.services.chat
from kezd.api.causes import TABLE, Cause, cause_named
from kezd.api.types import MessageEvent
from kezd.errors import RequestError, Slug
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import RefusalReason
from kezd.services.chat.news import ConversationNews
from kezd.services.contacts.book import ALARM_SLUGS
from kezd.store import events
from kezd.testing.chat_people import Person, befriend
from kezd.testing.memory_pipe import MemoryBroker

FAST = ChatSettings(retry_base_s=0.02, retry_ceiling_s=0.05)
NVIM = Path(__file__).parents[2] / "clients" / "editors" / "nvim" / "lua" / "kezd" / "errors.lua"


@pytest.fixture
def people(tmp_path):
    broker = MemoryBroker()
    alice, bob = Person(1, tmp_path, broker, settings=FAST), Person(2, tmp_path, broker, settings=FAST)
    befriend(alice, bob)
    return alice, bob


async def send_many(running, handle, count):
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(running.chat.send, handle, f"text {number}")


async def next_where(subscription, condition):
    """Bodies of events until one fits, that one the last."""
    bodies = []
    while True:
        for event in await subscription.receive_batch():
            assert (event.seq, event.topic) == (0, "conversation")
            bodies.append(event.body)
            if condition(event.body):
                return bodies


# --- conversations -----------------------------------------------------------------


async def test_a_burst_is_few_events_and_the_last_one_is_the_truth(people):
    alice, bob = people
    with trio.fail_after(30):
        async with alice.online() as a, bob.online() as b, trio.open_nursery() as nursery:
            nursery.start_soon(ConversationNews(b.db, b.chat).run)
            await trio.testing.wait_all_tasks_blocked()
            with b.db.bus.subscribe(["conversation"]) as listening:
                began = trio.current_time()
                await send_many(a, bob.handle, 300)
                bodies = await next_where(listening, lambda body: body["conversation"]["unread"] == 300)
                took = trio.current_time() - began
                assert len(bodies) <= took / 0.1 + 2
                last = bodies[-1]
                [thread] = (await b.chat.conversations()).items
                assert last["type"] == "changed"
                assert last["unread"] == 300
                assert last["conversation"]["contact"] == alice.signer.public.primary
                assert last["conversation"]["last"]["id"] == thread.last.id
                assert last["conversation"]["state"] == "accepted"

                assert (await b.chat.read(alice.handle)).marked == 300
                bodies = await next_where(listening, lambda body: body["unread"] == 0)
                assert bodies[-1]["conversation"]["unread"] == 0
            nursery.cancel_scope.cancel()


async def test_what_nobody_listened_to_is_not_told_later(people):
    alice, bob = people
    with trio.fail_after(30):
        async with alice.online() as a, bob.online() as b, trio.open_nursery() as nursery:
            nursery.start_soon(ConversationNews(a.db, a.chat).run)
            await trio.testing.wait_all_tasks_blocked()
            seen = []
            with a.db.bus.watch(lambda batch: seen.extend(e.topic for e in batch)):
                await send_many(a, bob.handle, 20)
                await a.chat.send(bob.handle, "last")
                with a.db.bus.subscribe(["conversation"]) as listening:
                    assert "conversation" not in seen
                    assert listening.waiting == 0
                    await a.chat.send(bob.handle, "heard")
                    [body, *_] = await next_where(
                        listening, lambda body: body["conversation"]["last"]["text"] == "heard"
                    )
                    assert body["unread"] == 0
            assert (await b.chat.waiting())["queued"] == 0
            nursery.cancel_scope.cancel()


# --- seen ---------------------------------------------------------------------------


async def test_seen_is_one_event_a_transaction_and_covers_all_of_it(people):
    alice, bob = people
    count = 620
    with trio.fail_after(60):
        async with alice.online() as a, bob.online() as b:
            await send_many(a, bob.handle, count)
            while (await b.chat.conversations()).items[:1] == []:
                await trio.sleep(0.01)
            while (await b.chat.conversations()).items[0].unread < count:
                await trio.sleep(0.01)
            assert (await b.chat.read(alice.handle, 10)).marked == 10
            assert (await b.chat.read(alice.handle)).marked == count - 10
            assert (await b.chat.read(alice.handle)).marked == 0
            logged = await b.db.read(lambda tx: events.after(tx, 0, ["message"], 10_000))
            bodies = [event.body for event in logged if event.body["type"] != "received"]
            assert [(body["type"], body["up_to"], body["marked"]) for body in bodies] == [
                ("seen", 10, 10),
                ("seen", 510, 500),
                ("seen", 620, 110),
            ]
            assert all(set(body) <= set(MessageEvent.__struct_fields__) for body in bodies)


# --- onward -------------------------------------------------------------------------


async def test_history_goes_on_from_a_place(people):
    alice, bob = people
    with trio.fail_after(30):
        async with alice.online() as a:
            await send_many(a, bob.handle, 23)
            whole = (await a.chat.history(bob.handle, 100)).items
            for after in (0, 1, 7, 22, 23, 2**63 - 1):
                found, cursor, pages = [], None, 0
                while True:
                    page = await a.chat.history(bob.handle, 5, cursor, after)
                    found += page.items
                    pages += 1
                    cursor = page.next_cursor
                    if cursor is None:
                        break
                    assert len(page.items) == 5
                assert found == [message for message in whole if message.position > after]
                assert pages == len(found) // 5 + 1
            await a.chat.send(bob.handle, "new")
            page = await a.chat.history(bob.handle, 5, None, whole[-1].position)
            assert ([message.text for message in page.items], page.next_cursor) == (["new"], None)


async def test_places_and_cursors_that_are_none_are_refused(people):
    alice, bob = people
    with trio.fail_after(30):
        async with alice.online() as a:
            await send_many(a, bob.handle, 4)
            backward = (await a.chat.history(bob.handle, 2)).next_cursor
            onward = (await a.chat.history(bob.handle, 2, None, 0)).next_cursor
            assert backward
            assert onward
            for cursor, after in (
                (None, -1),
                (None, 2**63),
                (None, 10**400),
                (backward, 0),
                (onward, None),
                (onward, 2),  # of a page that began further up
                ("", 0),
                ("A" * 22, 0),
                ("A" * 23, 0),
                ("_" * 23, 0),
                ("\u0661", 0),
                ("A" * 100_000, 0),
            ):
                with pytest.raises(RequestError) as caught:
                    await a.chat.history(bob.handle, 2, cursor, after)
                assert caught.value.slug is Slug.INVALID_ARGUMENT


# --- causes -------------------------------------------------------------------------


def test_every_reason_not_to_send_is_a_cause_of_its_own():
    route = {Slug.BLOCKED, Slug.REQUEST_PENDING, Slug.NO_COMMON_VERSION, Slug.NOT_A_CONTACT}
    names = {reason.value for reason in RefusalReason}
    names |= {slug.value for slug in (*ALARM_SLUGS.values(), *route)}
    for name in names:
        assert cause_named(name).value == name
    assert cause_named("of a later kezd") is Cause.NO_ROUTE
    assert set(TABLE) == set(Cause)
    assert {cause.value for cause in Cause} == names | {"expired", "no_route"}
    assert all(row.text and row.hint for row in TABLE.values())


def test_services_write_no_cause_by_hand():
    """What is stored as a cause is the value of a `Cause`: mypy says so of the argument it comes from."""
    written = []
    for path in Path(kezd.services.chat.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            place = {"wait_because": 2, "advance": 3}.get(node.func.attr)
            if place is not None and len(node.args) > place:
                written.append(ast.unparse(node.args[place]))
    assert written
    assert set(written) == {"cause.value"}


def test_the_plug_in_has_words_for_every_cause():
    table = NVIM.read_text().partition("local CAUSES = {")[2].partition("\n}")[0]
    assert set(re.findall(r"^  (\w+) = ", table, re.MULTILINE)) == {cause.value for cause in Cause}
