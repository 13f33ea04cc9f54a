"""Two chats over a pipe in memory: sending, receipts, offline, idempotency, refusals."""

import functools

import pytest
import trio

from kezd.errors import RequestError, Slug, TrustError
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import RefusalReason
from kezd.store import events
from kezd.store.idempotency import Once
from kezd.testing.chat_people import Person, befriend
from kezd.testing.memory_pipe import MemoryBroker

FAST = ChatSettings(retry_base_s=0.02, retry_ceiling_s=0.05)


@pytest.fixture
def broker():
    return MemoryBroker()


@pytest.fixture
def people(tmp_path, broker):
    alice, bob = Person(1, tmp_path, broker, settings=FAST), Person(2, tmp_path, broker, settings=FAST)
    befriend(alice, bob)
    return alice, bob


async def until(condition, *args):
    while not await condition(*args):
        await trio.sleep(0.002)


async def has_texts(running, person, texts):
    return await running.texts(person) == texts


async def has_states(running, person, states):
    return await running.states(person) == states


async def logged(running, kind=None):
    found = await running.db.read(lambda tx: events.after(tx, 0, ["message"], 10_000))
    return [event.body for event in found if kind is None or event.body["type"] == kind]


async def test_a_message_goes_over_and_its_receipts_come_back(people):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            sent = (await a.chat.send(bob.handle, "hello")).message
            assert (sent.state, sent.direction, sent.handle) == ("queued", "out", bob.handle)
            await until(has_texts, b, alice, ["hello"])
            await until(has_states, a, bob, ["delivered"])
            got = (await b.chat.message(sent.id)).message
            assert (got.id, got.direction, got.state, got.contact) == (
                sent.id,
                "in",
                "received",
                alice.signer.public.primary,
            )
            [thread] = (await b.chat.conversations()).items
            assert (thread.unread, thread.missing, thread.last.text) == (1, 0, "hello")
            assert (await b.chat.read(alice.handle)).marked == 1
            await until(has_states, a, bob, ["read"])
            assert (await b.chat.conversations()).items[0].unread == 0
            states = [e["message"]["state"] for e in await logged(a)]
            # A receipt that comes at once leaves nothing to say about the transport.
            assert [state for state in states if state != "accepted"] == ["queued", "delivered", "read"]
            [came, seen] = await logged(b)
            assert came["type"] == "received"
            assert seen == {
                "type": "seen",
                "contact": alice.signer.public.primary,
                "up_to": came["message"]["position"],
                "marked": 1,
            }
            assert (await a.chat.waiting()) == {"queued": 0, "undelivered": 0, "receipts": 0, "undecoded": 0}


async def test_many_both_ways_in_order(people):
    alice, bob = people
    with trio.fail_after(30):
        async with alice.online() as a, bob.online() as b, trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(a.chat.send, bob.handle, f"a{number}")
                nursery.start_soon(b.chat.send, alice.handle, f"b{number}")
        async with alice.online() as a, bob.online() as b:
            mine = [t for t in await a.texts(bob) if t.startswith("a")]

            async def complete():
                theirs = [t for t in await b.texts(alice) if t.startswith("a")]
                return theirs == mine

            await until(complete)


async def test_what_is_sent_at_once_leaves_in_its_order(people):
    """Nothing arrives before what comes before it, although many callers wait for one commit."""
    alice, bob = people
    with trio.fail_after(20):
        async with alice.online() as a, bob.online() as b:
            for burst in range(5):
                async with trio.open_nursery() as nursery:
                    for number in range(40):
                        nursery.start_soon(a.chat.send, bob.handle, f"{burst} {number}")
            await until(has_states, a, bob, ["delivered"] * 200)
            assert await logged(b, "missing_filled") == []
            arrived = [event["message"]["position"] for event in await logged(b, "received")]
            assert arrived == list(range(1, 201))


async def test_a_full_inbox_is_filled_again_as_soon_as_it_is_emptied(tmp_path, broker):
    """Receipts say that there is room: nobody waits for the pause after a refusal to end."""
    patient = ChatSettings(retry_base_s=60, retry_ceiling_s=60)
    alice, bob = Person(1, tmp_path, broker, settings=patient), Person(2, tmp_path, broker)
    befriend(alice, bob)
    broker.max_pending = 10
    with trio.fail_after(20):
        async with alice.online() as a:
            for number in range(60):
                await a.chat.send(bob.handle, str(number))
            await until(has_states, a, bob, ["accepted"] * 10 + ["queued"] * 50)
            async with bob.online() as b:
                await until(has_texts, b, alice, [str(number) for number in range(60)])
                await until(has_states, a, bob, ["delivered"] * 60)


async def test_somebody_away_gets_it_later(people, broker):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a:
            for text in ("one", "two"):
                await a.chat.send(bob.handle, text)
            await until(has_states, a, bob, ["accepted", "accepted"])
        async with bob.online() as b:
            await until(has_texts, b, alice, ["one", "two"])

            async def receipted():
                return any(broker.inboxes.values())

            await until(receipted)
        async with alice.online() as a:
            await until(has_states, a, bob, ["delivered", "delivered"])


async def test_written_offline_and_sent_in_order_when_the_link_is_back(people, broker):
    alice, bob = people
    broker.switch(up=False)
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            for number in range(600):
                await a.chat.send(bob.handle, str(number))
            assert set(await a.states(bob)) == {"queued"}
            broker.switch(up=True)
            await until(has_texts, b, alice, [str(number) for number in range(600)])
            assert (await b.chat.conversations()).items[0].missing == 0


@pytest.mark.parametrize("reason", [RefusalReason.INBOX_FULL, RefusalReason.HOME_FULL, RefusalReason.QUOTA])
async def test_a_refusal_that_passes_is_shown_and_tried_again(people, broker, reason):
    alice, bob = people
    broker.refuse = reason
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            sent = (await a.chat.send(bob.handle, "one")).message
            await a.chat.send(bob.handle, "two")

            async def caused():
                message = (await a.chat.message(sent.id)).message
                return (message.state, message.cause) == ("queued", reason.value)

            await until(caused)
            broker.refuse = None
            await a.chat.send(bob.handle, "three")
            await until(has_texts, b, alice, ["one", "two", "three"])
            await until(has_states, a, bob, ["delivered"] * 3)
            assert (await a.chat.message(sent.id)).message.cause is None


@pytest.mark.parametrize("reason", [RefusalReason.TOO_LARGE, RefusalReason.FOREIGN_HOME])
async def test_a_refusal_for_good_fails_the_message(people, broker, reason):
    alice, bob = people
    broker.refuse = reason
    with trio.fail_after(10):
        async with alice.online() as a:
            sent = (await a.chat.send(bob.handle, "one")).message
            await until(has_states, a, bob, ["failed"])
            assert (await a.chat.message(sent.id)).message.cause == reason.value
            assert (await a.chat.waiting())["queued"] == 0


async def test_one_key_is_one_message(people):
    alice, bob = people
    once = Once("k1", "chat.send", "hash")
    with trio.fail_after(10):
        async with alice.online() as a:
            first = await a.chat.send(bob.handle, "hello", once)
            assert await a.chat.send(bob.handle, "hello", once) == first
            with pytest.raises(RequestError) as caught:
                await a.chat.send(bob.handle, "other", Once("k1", "chat.send", "other"))
            assert caught.value.slug is Slug.IDEMPOTENCY_CONFLICT
        async with alice.online() as a:
            assert await a.chat.send(bob.handle, "hello", once) == first
            assert await a.texts(bob) == ["hello"]


async def test_a_dry_run_checks_and_changes_nothing(people):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a:
            result = await a.chat.send(bob.handle, "hello", dry_run=True)
            assert (result.message.id, result.message.state) == ("", "queued")
            assert await a.texts(bob) == []
            await a.book.put(bob.signer.public, bob.handle, "accepted", Slug.KEY_CHANGED)
            with pytest.raises(TrustError):
                await a.chat.send(bob.handle, "hello", dry_run=True)


async def test_what_cannot_be_sent_says_why(people):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a:
            for text, slug in (("", Slug.INVALID_ARGUMENT), ("\ud800", Slug.INVALID_ARGUMENT)):
                with pytest.raises(RequestError) as caught:
                    await a.chat.send(bob.handle, text)
                assert caught.value.slug is slug
            with pytest.raises(RequestError) as caught:
                await a.chat.send(bob.handle, "x" * 40_000)
            assert caught.value.slug is Slug.TOO_LARGE
            with pytest.raises(RequestError) as caught:
                await a.chat.send("nobody@home.test", "x")
            assert caught.value.slug is Slug.NOT_A_CONTACT


async def test_an_alarm_holds_what_is_queued_until_the_person_decides(people, broker):
    alice, bob = people
    alice.settings = ChatSettings(retry_base_s=3600, retry_ceiling_s=3600)
    broker.switch(up=False)
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            sent = (await a.chat.send(bob.handle, "hello")).message
            await a.book.put(bob.signer.public, bob.handle, "accepted", Slug.KEY_CHANGED)
            broker.switch(up=True)

            async def caused():
                return (await a.chat.message(sent.id)).message.cause == "key_changed"

            await until(caused)
            assert broker.published == 0
            await a.book.put(bob.signer.public, bob.handle, "accepted")
            await until(has_texts, b, alice, ["hello"])


async def test_pages_of_history_and_of_conversations(tmp_path, broker):
    alice = Person(1, tmp_path, broker)
    others = [Person(number, tmp_path, broker) for number in range(2, 8)]
    alice.friends = others
    broker.switch(up=False)
    with trio.fail_after(10):
        async with alice.online() as a:
            for number in range(25):
                await a.chat.send(others[0].handle, str(number))
            for other in others[1:]:
                await a.chat.send(other.handle, "x")
            newest = await a.chat.history(others[0].handle, 10)
            assert [m.text for m in newest.items] == [str(n) for n in range(15, 25)]
            older = await a.chat.history(others[0].handle, 10, newest.next_cursor)
            oldest = await a.chat.history(others[0].handle, 10, older.next_cursor)
            assert [m.text for m in oldest.items] == ["0", "1", "2", "3", "4"]
            assert oldest.next_cursor is None
            seen = []
            cursor = None
            while True:
                page = await a.chat.conversations(4, cursor)
                seen += [thread.handle for thread in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert seen == [other.handle for other in reversed(others)]
            for call in (
                functools.partial(a.chat.history, others[0].handle, cursor="!!"),
                functools.partial(a.chat.conversations, cursor="AAAA"),
                functools.partial(a.chat.conversations, 0),
                functools.partial(a.chat.message, "xyz"),
            ):
                with pytest.raises(RequestError) as caught:
                    await call()
                assert caught.value.slug is Slug.INVALID_ARGUMENT
            with pytest.raises(RequestError) as caught:
                await a.chat.message("00" * 16)
            assert caught.value.slug is Slug.NOT_FOUND
