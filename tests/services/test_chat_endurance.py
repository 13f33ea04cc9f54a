"""Long waits and bad days: republishing, expiry, clocks that jump, a full disk, duplicate ids."""

import logging
import os

import pytest
import trio

from kezd.errors import Slug, StoreError
from kezd.runtime.settings import DAYS, ChatSettings
from kezd.runtime.transport import RefusalReason
from kezd.services.chat.loops import endless
from kezd.testing.chat_people import MovableClock, Person, befriend
from kezd.testing.memory_pipe import MemoryBroker

FAST = ChatSettings(retry_base_s=0.02, retry_ceiling_s=0.05)
BOBS = f"kez.inbox.{Person(2, None, None).signer.public.hex}"


@pytest.fixture
def broker():
    return MemoryBroker()


@pytest.fixture
def people(tmp_path, broker):
    clock = MovableClock()
    alice, bob = (Person(n, tmp_path, broker, settings=FAST, clock=clock) for n in (1, 2))
    befriend(alice, bob)
    return alice, bob


async def until(condition, *args):
    while not await condition(*args):
        await trio.sleep(0.002)


async def has_texts(running, person, texts):
    return await running.texts(person) == texts


async def has_states(running, person, states):
    return await running.states(person) == states


async def published(broker, count):
    return broker.published >= count


def lose_everything(broker):
    broker.inboxes.clear()
    broker.forget_keys()


async def test_sent_again_at_13_days_with_the_same_bytes(people, broker):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a:
            await a.chat.send(bob.handle, "one")
            await until(has_states, a, bob, ["accepted"])
            [before] = broker.inboxes[BOBS, "0"].values()
            lose_everything(broker)
            alice.clock.ahead += 12.9 * DAYS
            await a.chat.send(bob.handle, "two")
            await until(has_states, a, bob, ["accepted", "accepted"])
            await trio.sleep(0.05)
            assert broker.published == 2
            alice.clock.ahead += 0.2 * DAYS
            await a.chat.send(bob.handle, "three")
            await until(published, broker, 4)
            assert before in broker.inboxes[BOBS, "0"].values()
        async with alice.online() as a, bob.online() as b:
            await until(has_texts, b, alice, ["one", "two", "three"])
            await until(has_states, a, bob, ["delivered"] * 3)


async def test_sent_again_after_reconnects_less_and_less_often(people, broker):
    alice, bob = people

    async def reconnect(hours):
        alice.clock.ahead += hours * 3600
        broker.switch(up=False)
        await trio.sleep(0.02)
        broker.forget_keys()
        broker.switch(up=True)
        await trio.sleep(0.05)

    with trio.fail_after(10):
        async with alice.online() as a:
            await a.chat.send(bob.handle, "one")
            await until(has_states, a, bob, ["accepted"])
            counts = []
            for hours in (1, 5.5, 6, 6.5, 12, 12.5):
                await reconnect(hours)
                counts.append(broker.published)
            assert counts == [1, 2, 2, 3, 3, 4]


async def test_given_up_after_90_days_and_a_late_receipt_is_still_the_truth(people, broker):
    alice, bob = people
    broker.switch(up=False)
    with trio.fail_after(10):
        async with alice.online() as a:
            sent = (await a.chat.send(bob.handle, "never sent")).message
            broker.switch(up=True)
            await until(has_states, a, bob, ["accepted"])
        alice.clock.ahead += 91 * DAYS
        broker.refuse = RefusalReason.HOME_FULL
        async with alice.online() as a:
            await until(has_states, a, bob, ["failed"])
            assert (await a.chat.message(sent.id)).message.cause == "expired"
            assert (await a.chat.waiting())["undelivered"] == 0
            broker.refuse = None
            async with bob.online():
                await until(has_states, a, bob, ["delivered"])
            assert (await a.chat.message(sent.id)).message.cause is None


async def test_a_wall_clock_that_jumps_expires_nothing(people, broker):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            await a.chat.send(bob.handle, "before")
            await until(has_texts, b, alice, ["before"])
            for jump in (400 * DAYS, -700 * DAYS):
                alice.clock.wall_ahead += jump
                await a.chat.send(bob.handle, str(jump))
            await until(has_states, a, bob, ["delivered"] * 3)
            assert (await b.texts(alice))[0] == "before"


async def test_a_full_disk_is_told_to_the_sender_and_waited_for_by_the_receiver(people, broker, caplog):
    alice, bob = people
    caplog.set_level(logging.WARNING)

    def limit(pages):
        return lambda tx: tx.one(f"PRAGMA max_page_count = {pages}")

    with trio.fail_after(30):
        async with alice.online() as a, bob.online() as b:
            await b.db.write(limit(1))  # SQLite takes the present size

            async def fill():
                while True:
                    await b.chat.send(alice.handle, "x" * 30_000)

            with pytest.raises(StoreError) as caught:
                await fill()
            assert caught.value.slug is Slug.DISK_FULL
            stored = len(await b.texts(alice))
            big = "y" * 20_000
            await a.chat.send(bob.handle, big)
            while "the disk is full, waiting" not in caplog.text:
                await trio.sleep(0.01)
            assert len(broker.inboxes[BOBS, "0"]) == 1  # not acknowledged
            await b.db.write(limit(1_000_000))

            async def arrived():
                return big in await b.texts(alice)

            await until(arrived)
            await b.chat.send(alice.handle, "room again")
            await until(has_states, a, bob, ["received"] * stored + ["delivered", "received"])


async def test_a_dedupe_key_that_was_known_before_is_an_error(people, broker, caplog):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a:
            await a.chat.send(bob.handle, "zero")
            await until(has_states, a, bob, ["accepted"])

            class Everything(set):
                def __contains__(self, _key):
                    return True

            broker.keys = Everything()
            sent = (await a.chat.send(bob.handle, "one")).message
            await until(has_states, a, bob, ["accepted", "failed"])
            assert (await a.chat.message(sent.id)).message.cause == "duplicate_id"
            assert await a.chat.dropped() == {"duplicate_id": 1}
    assert "refused for good" in caplog.text


async def test_receipts_that_have_no_way_wait_for_one(people, broker):
    alice, bob = people
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            await b.book.put(alice.signer.public, alice.handle, "accepted", Slug.CHAIN_ROLLBACK)
            await a.chat.send(bob.handle, "one")
            await until(has_texts, b, alice, ["one"])
            assert (await b.chat.waiting())["receipts"] == 1
            await until(has_states, a, bob, ["accepted"])
            await b.book.put(alice.signer.public, alice.handle, "accepted")
            await until(has_states, a, bob, ["delivered"])


async def test_a_send_that_fails_leaves_no_gap(people):
    alice, bob = people
    left = [100]

    def entropy(size):
        left[0] -= 1
        if left[0] <= 0:
            raise OSError("no randomness")
        return os.urandom(size)

    alice.entropy = entropy
    with trio.fail_after(10):
        async with alice.online() as a, bob.online() as b:
            await a.chat.send(bob.handle, "one")
            for lucky in (1, 2, 3):  # an id, a stream, an ephemeral key
                left[0] = lucky
                with pytest.raises(OSError, match="no randomness"):
                    await a.chat.send(bob.handle, "lost")
            left[0] = 100
            await a.chat.send(bob.handle, "two")
            await until(has_texts, b, alice, ["one", "two"])
            assert (await b.chat.conversations()).items[0].missing == 0
            assert await a.texts(bob) == ["one", "two"]


async def test_a_loop_that_ends_is_a_bug():
    async def ends():
        await trio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match="ends"):
        await endless(ends)
