"""What comes in: order and gaps, duplicates, requests, hostile bytes, newer versions, odd dates."""

import secrets

import pytest
import trio

from kezd.kez.bodies import Kind, receipt_body, text_body
from kezd.kez.keys import Seed
from kezd.kez.sealed import MAX_ENVELOPE
from kezd.kez.sender_tag import message_id
from kezd.kez.signing import Signer
from kezd.runtime.settings import ChatSettings
from kezd.runtime.transport import Destination
from kezd.services.chat.sealing import Sealer
from kezd.services.ports import Route
from kezd.store import conversations, events
from kezd.testing.chat_people import MovableClock, Person, befriend
from kezd.testing.memory_pipe import MemoryBroker

FAST = ChatSettings(retry_base_s=0.02, retry_ceiling_s=0.05)
NOW = 1_900_000_000


class Writer:
    """Somebody who seals what they like and puts it into an inbox."""

    def __init__(self, number, broker, to):
        self.signer = Signer(Seed(number.to_bytes(32, "big")))
        self.sealer = Sealer(self.signer, secrets.token_bytes)
        self.broker = broker
        self.to = to
        self.stream = secrets.token_bytes(16)
        self.route = Route(to.signer.public, to.signer.public, "", "", "0", (2,))

    def seal(self, text="x", n=1, *, kind=Kind.TEXT, body=None, id=None, stream=None, sent_at=NOW):
        return self.sealer.seal(
            self.route,
            kind,
            text_body(text) if body is None else body,
            id=id or secrets.token_bytes(16),
            stream=stream or self.stream,
            n=n,
            sent_at=sent_at,
        )

    def put(self, data):
        to = Destination(self.broker.url, f"kez.inbox.{self.to.signer.public.hex}")
        self.broker.put(to, data, message_id(data + secrets.token_bytes(8)), first_attempt=False)

    def write(self, *args, **rest):
        self.put(self.seal(*args, **rest))


@pytest.fixture
def broker():
    return MemoryBroker()


@pytest.fixture
def bob(tmp_path, broker):
    return Person(2, tmp_path, broker, settings=FAST)


@pytest.fixture
def friend(tmp_path, broker, bob):
    """Somebody Bob has accepted, writing without a peer."""
    alice = Person(1, tmp_path, broker)
    befriend(alice, bob)
    return Writer(1, broker, bob)


async def until(condition):
    while not await condition():
        await trio.sleep(0.002)


async def drained(broker, person):
    """Everything in the person's inbox was stored and acknowledged."""
    inbox = (f"kez.inbox.{person.signer.public.hex}", "0")
    while broker.inboxes.get(inbox):
        await trio.sleep(0.002)


async def shown(running, writer):
    page = await running.chat.history(writer.signer.public.primary, 500)
    return page.items


async def logged(running):
    return [e.body for e in await running.db.read(lambda tx: events.after(tx, 0, ["message"], 10_000))]


async def test_gaps_are_shown_and_filled_without_blocking(bob, broker, friend):
    with trio.fail_after(10):
        async with bob.online() as b:
            for n in (1, 2, 5, 9):
                friend.write(f"m{n}", n)
            await drained(broker, bob)
            assert [(m.text, m.missing_before) for m in await shown(b, friend)] == [
                ("m1", 0),
                ("m2", 0),
                ("m5", 2),
                ("m9", 3),
            ]
            assert (await b.chat.conversations()).items[0].missing == 5
            friend.write("m4", 4)
            await drained(broker, bob)
            friend.write("m10", 10)
            friend.write("m7", 7)
            await drained(broker, bob)
            assert [(m.text, m.missing_before) for m in await shown(b, friend)] == [
                ("m1", 0),
                ("m2", 0),
                ("m4", 1),
                ("m5", 0),
                ("m7", 1),
                ("m9", 1),
                ("m10", 0),
            ]
            for n in (3, 6, 8):
                friend.write(f"m{n}", n)
            await drained(broker, bob)
            items = await shown(b, friend)
            assert [m.text for m in items] == [f"m{n}" for n in range(1, 11)]
            assert [m.missing_before for m in items] == [0] * 10
            assert len({m.position for m in items}) == 10
            [thread] = (await b.chat.conversations()).items
            assert (thread.missing, thread.unread, thread.last.text) == (0, 10, "m10")
            filled = [e["message"] for e in await logged(b) if e["type"] == "missing_filled"]
            assert (filled[0]["text"], filled[0]["missing_before"]) == ("m5", 0)


async def test_a_late_message_stands_before_what_was_written_meanwhile(bob, broker, friend):
    with trio.fail_after(10):
        async with bob.online() as b:
            friend.write("one", 1)
            friend.write("three", 3)
            await drained(broker, bob)
            await b.chat.send("person1@home.test", "answer")
            friend.write("two", 2)
            friend.write("four", 4)
            await drained(broker, bob)
            assert [m.text for m in await shown(b, friend)] == ["one", "two", "three", "answer", "four"]


async def test_a_huge_n_hurts_nobody(bob, broker, friend):
    with trio.fail_after(10):
        async with bob.online() as b:
            for n in (2**53 - 1, 5, 2**52, 1, 2**53 - 2):
                friend.write(f"m{n}", n)
            for _ in range(300):
                friend.write("s", 2**53 - 1, stream=secrets.token_bytes(16))
            await drained(broker, bob)
            items = await shown(b, friend)
            assert len(items) == 305
            assert [m.text for m in items[:5]] == ["m1", "m5", f"m{2**52}", f"m{2**53 - 2}", f"m{2**53 - 1}"]
            assert max(m.position for m in items) < 2**53


async def test_gaps_of_many_streams_do_not_add_up_to_a_crash(bob, broker, friend):
    with trio.fail_after(20):
        async with bob.online() as b:
            for number in range(1_030):
                friend.write("s", 2**53 - 1, stream=number.to_bytes(16, "big"))
            await drained(broker, bob)
            friend.write("and on", 1)
            await drained(broker, bob)
            found = await b.db.read(lambda tx: conversations.find(tx, friend.signer.public.raw))
            assert found.missing == 2**53 - 1


async def test_a_duplicate_is_not_shown_and_receipted_once_a_minute(bob, broker, friend):
    bob.clock = MovableClock()
    mine = (f"kez.inbox.{friend.signer.public.hex}", "0")
    envelope = friend.seal("once", 1)
    with trio.fail_after(10):
        async with bob.online() as b:

            async def receipts(count):
                while len(broker.inboxes.get(mine, {})) < count:
                    await trio.sleep(0.002)

            friend.put(envelope)
            await receipts(1)
            friend.put(envelope)
            await drained(broker, bob)
            bob.clock.ahead += 61
            friend.put(envelope)
            await receipts(2)
            friend.put(envelope)
            await drained(broker, bob)
            assert [m.text for m in await shown(b, friend)] == ["once"]
            assert (await b.chat.dropped()) == {"duplicate": 3}
            assert len(broker.inboxes[mine]) == 2


async def test_hostile_bytes_are_counted_and_the_peer_runs_on(bob, broker, friend, tmp_path):
    for_another = Writer(1, broker, Person(3, tmp_path, broker))
    good = friend.seal("good", 1)
    flipped = bytearray(good)
    flipped[200] ^= 1
    bad = {
        "bad_sealed": [
            b"",
            b"\x02 garbage",
            b"\x02" + secrets.token_bytes(900),
            b"\x02" + bytes(900),
            good[:-1],
            good + b"\x00",
            bytes(flipped),
            b"\x02" + bytes(32) + good[33:],  # a key of small order
            for_another.seal("for somebody else", 1),
        ],
        "oversized": [b"\x02" * (MAX_ENVELOPE + 1)],
        "bad_body": [
            friend.seal(n=2, body={"text": 5}),
            friend.seal(n=3, body={}),
            friend.seal(kind=Kind.RECEIPT, body={"state": "eaten", "ids": []}),
        ],
        "forged_receipt": [friend.seal(kind=Kind.RECEIPT, body=receipt_body("read", ["ab" * 16]))],
        "duplicate": [good, good],
    }
    with trio.fail_after(10):
        async with bob.online() as b:
            friend.put(good)
            for data in [one for group in bad.values() for one in group]:
                friend.put(data)
            await drained(broker, bob)
            friend.write("still here", 2)
            await drained(broker, bob)
            assert [m.text for m in await shown(b, friend)] == ["good", "still here"]
            assert await b.chat.dropped() == {cause: len(group) for cause, group in bad.items()}


async def test_a_newer_version_is_kept_undecoded(bob, broker, friend):
    with trio.fail_after(10):
        async with bob.online() as b:
            for number in range(3, 6):
                friend.put(bytes([number]) + secrets.token_bytes(700))
            friend.write(n=1, body={"emoji": "x"}, kind=Kind.REACTION)
            await drained(broker, bob)
            assert (await b.chat.waiting())["undecoded"] == 3
            [message] = await shown(b, friend)
            assert (message.kind, message.text, message.needs_newer_version) == ("reaction", None, True)


async def test_undecoded_envelopes_are_opened_once_we_can(bob, broker, friend):
    sealed = friend.seal("from the future", 1)
    with trio.fail_after(10):
        async with bob.database() as (db, _book):
            await db.write(
                lambda tx: (
                    tx.execute("INSERT INTO undecoded VALUES (?, 2, ?, 5.0)", (message_id(sealed), sealed))
                    and None
                )
            )
        async with bob.online() as b:

            async def opened():
                return [m.text for m in await shown(b, friend)] == ["from the future"]

            await until(opened)
            assert (await b.chat.waiting())["undecoded"] == 0


async def test_an_envelope_of_no_version_there_ever_was_does_not_keep_the_next_start_busy(
    bob, broker, friend
):
    with trio.fail_after(10):
        async with bob.online() as b:
            for number in (0, 1):
                friend.put(bytes([number]) + secrets.token_bytes(700))
            await drained(broker, bob)
        async with bob.online() as b:
            friend.write("hello", 1)
            await drained(broker, bob)
            assert [m.text for m in await shown(b, friend)] == ["hello"]
            assert (await b.chat.waiting())["undecoded"] == 2


async def test_dates_decide_nothing(bob, broker, friend):
    bob.restored_at = NOW - 1000.0
    bob.clock = MovableClock()
    bob.clock.wall_ahead = NOW - bob.clock.now()
    with trio.fail_after(10):
        async with bob.online() as b:
            friend.write("old", 7, sent_at=NOW - 5000)
            friend.write("future", 8, sent_at=NOW + 5000)
            friend.write("slightly ahead", 9, sent_at=NOW + 200)
            await drained(broker, bob)
            items = await shown(b, friend)
            assert [(m.text, m.older, m.future_dated) for m in items] == [
                ("old", True, False),
                ("future", False, True),
                ("slightly ahead", False, False),
            ]
            assert [e["notify"] for e in await logged(b)] == [False, True, True]
            assert items[0].missing_before == 0  # a predecessor had those
            friend.write("older still", 3, sent_at=NOW - 6000)
            await drained(broker, bob)
            assert [m.text for m in await shown(b, friend)][:2] == ["older still", "old"]


async def test_a_strangers_messages_are_a_request_until_accepted(bob, broker):
    stranger = Writer(9, broker, bob)
    mine = (f"kez.inbox.{stranger.signer.public.hex}", "0")
    with trio.fail_after(20):
        async with bob.online() as b:
            for n in range(1, 26):
                stranger.write(f"buy {n}", n)
            await drained(broker, bob)
            items = await shown(b, stranger)
            assert [m.text for m in items] == [f"buy {n}" for n in range(1, 21)]
            assert all(m.request for m in items)
            assert (await b.chat.dropped())["too_many_requests"] == 5
            announced = await logged(b)
            assert {e["type"] for e in announced} == {"request"}
            assert all(e["message"]["text"] is None and not e["notify"] for e in announced)
            assert stranger.signer.public in b.book.looked_up
            await trio.sleep(0.12)
            assert mine not in broker.inboxes
            await b.chat.read(stranger.signer.public.primary, 5)
            await b.book.put(stranger.signer.public, "nine@home.test", "accepted")

            async def receipted():
                return mine in broker.inboxes

            await until(receipted)
            assert not any(m.request for m in await shown(b, stranger))
            stranger.write("now", 26)
            await drained(broker, bob)
            assert (await logged(b))[-1]["message"]["text"] == "now"


async def test_accepting_while_the_chat_is_closed_is_noticed(bob, broker):
    stranger = Writer(9, broker, bob)
    mine = (f"kez.inbox.{stranger.signer.public.hex}", "0")
    with trio.fail_after(10):
        async with bob.online():
            stranger.write("hello", 1)
            await drained(broker, bob)
        async with bob.database() as (_db, book):
            await book.put(stranger.signer.public, "nine@home.test", "accepted")
        async with bob.online() as b:
            while mine not in broker.inboxes:
                await trio.sleep(0.002)
            [message] = await shown(b, stranger)
            assert not message.request


async def test_requests_are_capped_in_all_and_leave_no_contacts(bob, broker):
    with trio.fail_after(60):
        async with bob.online() as b:
            for number in range(100, 160):
                stranger = Writer(number, broker, bob)
                for n in range(1, 20):
                    stranger.write(f"{n}", n)
            await drained(broker, bob)
            last = Writer(999, broker, bob)
            last.write("too late", 1)
            last.put(last.seal(kind=Kind.RECEIPT, body=receipt_body("read", ["ab" * 16])))
            await drained(broker, bob)
            threads = (await b.chat.conversations(500)).items
            assert sum(thread.unread for thread in threads) == 1000
            assert (await b.chat.dropped())["too_many_requests"] == 60 * 19 + 1 - 1000
            assert (await b.chat.dropped())["forged_receipt"] == 1
            assert await b.db.read(lambda tx: b.book.known(tx, last.signer.public)) is None


async def test_a_blocked_contact_is_dropped(bob, broker, friend):
    with trio.fail_after(10):
        async with bob.online() as b:
            await b.book.put(friend.signer.public, "person1@home.test", "blocked")
            friend.write("hello", 1)
            await drained(broker, bob)
            assert await shown(b, friend) == []
            assert (await b.chat.dropped()) == {"blocked": 1}


async def test_receipts_count_only_from_the_recipient_and_only_forward(bob, broker, friend, tmp_path):
    eve = Person(5, tmp_path, broker)
    bob.friends.append(eve)
    forger = Writer(5, broker, bob)
    with trio.fail_after(10):
        async with bob.online() as b:
            sent = (await b.chat.send("person1@home.test", "hello")).message

            async def state():
                return (await b.chat.message(sent.id)).message.state

            forger.put(forger.seal(kind=Kind.RECEIPT, body=receipt_body("read", [sent.id])))
            await drained(broker, bob)
            assert await state() in ("queued", "accepted")
            assert (await b.chat.dropped()) == {"forged_receipt": 1}
            friend.put(friend.seal(kind=Kind.RECEIPT, body=receipt_body("read", [sent.id, "cd" * 16])))
            await drained(broker, bob)
            assert await state() == "read"
            friend.put(friend.seal(kind=Kind.RECEIPT, body=receipt_body("delivered", [sent.id])))
            await drained(broker, bob)
            assert await state() == "read"
            assert (await b.chat.waiting())["undelivered"] == 0


async def test_no_read_receipts_when_the_person_wants_none(bob, broker, friend):
    bob.settings = ChatSettings(read_receipts=False)
    mine = (f"kez.inbox.{friend.signer.public.hex}", "0")
    with trio.fail_after(10):
        async with bob.online() as b:
            friend.write("hello", 1)
            while mine not in broker.inboxes:
                await trio.sleep(0.002)
            assert (await b.chat.read("person1@home.test", dry_run=True)).marked == 1
            assert (await b.chat.read("person1@home.test")).marked == 1
            assert (await b.chat.read("person1@home.test")).marked == 0
            await trio.sleep(0.12)
            assert len(broker.inboxes[mine]) == 1
