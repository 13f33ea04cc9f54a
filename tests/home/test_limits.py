"""What a sender may hold, what nobody reads, and midnight: a whole home under a test's clock."""

import secrets

import pytest

from kezd.home.policy import Limits
from kezd.home.tag_keys import DAY_SECONDS, KEPT_DAYS
from kezd.kez.sender_tag import sender_tag
from kezd.testing.home_people import Person

SMALL = Limits(pending_messages=20, pending_bytes=600_000)


@pytest.fixture
def small(open_threaded_home):
    return open_threaded_home(limits=SMALL)


def online(home, person):
    on_nats = person.connect(home.nats_url)
    on_nats.ask_session()
    return on_nats


def test_a_sender_over_its_count_may_read_but_not_write_until_it_is_well_below(small):
    readers = [online(small, small.person(f"reader{n}")) for n in range(2)]
    sender = online(small, small.person("sender"))
    for number in range(20):
        sender.send(readers[number % 2].person.public, b"x")
    assert sender.session["sending"] == {"allowed": True}
    small.poll()
    assert sender.raw.wait_closed(5), "it is kicked"
    stopped = online(small, sender.person)
    assert stopped.session["sending"] == {"allowed": False, "reason": "quota"}
    stopped.raw.publish(f"kez.inbox.{readers[0].person.public.hex}.0.{stopped.tag}", b"x", stopped.inbox)
    stopped.raw.barrier()
    assert "Permissions Violation" in stopped.raw.errors[0]
    readers[0].send(stopped.person.public, b"you can still read")
    assert [message.data for message in stopped.pull()] == [b"you can still read"]
    take(readers[0], 3)
    small.poll()
    assert not online(small, stopped.person).session["sending"]["allowed"], "17 of 20 is not well below"
    take(readers[1], 3)
    small.poll()
    assert stopped.raw.wait_closed(5), "it is kicked again, to get its right back"
    assert "seq" in online(small, stopped.person).send(readers[0].person.public, b"again")


def take(reader, count):
    messages = reader.pull(count)
    assert len(messages) == count
    for message in messages:
        reader.ack(message)


def test_bytes_are_weighed_exactly(small):
    reader = online(small, small.person("reader"))
    light, heavy = online(small, small.person("light")), online(small, small.person("heavy"))
    for _ in range(4):
        light.send(reader.person.public, b"x" * 100_000)
        heavy.send(reader.person.public, b"x" * 160_000)
    small.poll()
    assert heavy.raw.wait_closed(5)
    assert not online(small, heavy.person).session["sending"]["allowed"]
    assert light.ask_session()["sending"]["allowed"], "its count could be over, its bytes are not"
    take(reader, 6)
    small.poll()
    assert online(small, heavy.person).session["sending"]["allowed"], "what was taken weighs nothing"


def test_heavy_messages_in_the_place_of_as_many_light_ones_are_weighed(small):
    reader, sender = online(small, small.person("reader")), online(small, small.person("sender"))
    for _ in range(4):
        sender.send(reader.person.public, b"x")
    filler = online(small, small.person("filler"))
    for _ in range(4):
        filler.send(reader.person.public, b"x" * 190_000)
    small.poll()
    assert online(small, sender.person).session["sending"]["allowed"]
    take(reader, 4)
    for _ in range(4):
        sender.send(reader.person.public, b"x" * 190_000)
    small.poll()
    assert not online(small, sender.person).session["sending"]["allowed"]


def test_a_sender_is_counted_over_all_days(small):
    reader, sender = online(small, small.person("reader")), small.person("sender")
    for _ in range(2):
        on_nats = online(small, sender)
        for _ in range(10):
            on_nats.send(reader.person.public, b"x")
        small.clock.wall += DAY_SECONDS
    small.poll()
    assert not online(small, sender).session["sending"]["allowed"]


def test_guests_are_counted_too(open_threaded_home):
    home = open_threaded_home(limits=SMALL, guests=True)
    reader = home.person("reader")
    guest = online(home, Person("guest"))
    for _ in range(20):
        guest.send(reader.public, b"x")
    home.poll()
    assert guest.raw.wait_closed(5)
    assert not online(home, guest.person).session["sending"]["allowed"]


def test_inboxes_of_unregistered_keys_are_purged(small):
    sender, reader = online(small, small.person("sender")), small.person("reader")
    nobody = Person("nobody").public
    sender.send(nobody, b"for nobody")
    sender.send(reader.public, b"for reader")
    for nats_subject in (
        f"kez.inbox.garbage.0.{sender.tag}",
        f"kez.inbox.{reader.public.hex}.7.{sender.tag}",
    ):
        assert sender.raw.request(nats_subject, b"x", sender.inbox) is not None
    assert small.call(small.home.keeper._inboxes.state()).messages == 4
    small.poll()
    assert [message.data for message in online(small, reader).pull(2)] == [b"for reader"]
    assert small.call(small.home.keeper._inboxes.state()).messages == 1


@pytest.mark.parametrize(
    "nats_subject", ["kez.inbox.*.0.{tag}", "kez.inbox.*.*.{tag}", "kez.inbox.{victim}.*.{tag}", "kez.inbox.{victim}.>.{tag}"]
)  # fmt: skip
def test_a_subject_with_a_literal_wildcard_purges_nobody_elses_mail(small, nats_subject):
    victim, friend = online(small, small.person("victim")), online(small, small.person("friend"))
    mallory = online(small, small.person("mallory"))
    friend.send(victim.person.public, b"keep me")
    subject = nats_subject.format(tag=mallory.tag, victim=victim.person.public.hex)
    mallory.raw.request(subject, b"x", mallory.inbox)
    small.poll()
    assert [message.data for message in victim.pull()] == [b"keep me"]


def test_a_full_home_is_told_apart_from_a_full_inbox(open_threaded_home):
    home = open_threaded_home(inbox_max_bytes=300_000)
    sender, reader = online(home, home.person("sender")), home.person("reader")
    sender.send(reader.public, b"x" * 190_000)
    answer = sender.send(reader.public, b"x" * 190_000)
    assert answer["error"]["err_code"] == 10077
    assert answer["error"]["description"] == "maximum bytes exceeded"


def test_a_disk_that_shrank_keeps_what_is_there(open_threaded_home):
    """The stream's size follows the free disk at each start, also below what it holds."""
    home = open_threaded_home(inbox_max_bytes=1_000_000)
    alice = home.person("alice")
    on_nats = online(home, alice)
    for _ in range(4):
        on_nats.send(alice.public, b"x" * 150_000)
    home.close()
    home.close = lambda: None
    again = open_threaded_home(inbox_max_bytes=300_000)
    back = online(again, alice)
    assert back.send(alice.public, b"one more")["error"]["description"] == "maximum bytes exceeded"
    assert len(back.pull(4)) == 4


def test_midnight_interrupts_nobody(open_threaded_home):
    home = open_threaded_home()
    before_midnight = (home.clock.wall // DAY_SECONDS + 1) * DAY_SECONDS - 10
    home.clock.wall = before_midnight
    sender, reader = online(home, home.person("sender")), online(home, home.person("reader"))
    today, tomorrow = sender.session["tags"]
    assert tomorrow["from"] == before_midnight + 10
    home.clock.wall += 20
    assert "seq" in sender.send(reader.person.public, b"with the old tag", tag=today["tag"])
    assert "seq" in sender.send(reader.person.public, b"with the new tag", tag=tomorrow["tag"])
    rolled = sender.ask_session()["tags"]
    assert rolled[0] == tomorrow
    assert rolled[1]["tag"] not in {today["tag"], tomorrow["tag"]}
    renewed = online(home, sender.person)
    assert "seq" in renewed.send(reader.person.public, b"renewed", tag=rolled[1]["tag"])
    renewed.raw.publish(f"kez.inbox.{reader.person.public.hex}.0.{today['tag']}", b"x")
    renewed.raw.barrier()
    assert "Permissions Violation" in renewed.raw.errors[0], "yesterday's tag is over with the next login"


def test_day_keys_live_fifteen_days(open_threaded_home):
    home, person = open_threaded_home(), Person("anybody")
    tag_keys = home.home.side.tag_keys
    first, _ = home.call(tag_keys.tags(person.public))
    for _ in range(KEPT_DAYS):
        home.clock.wall += DAY_SECONDS
        home.call(tag_keys.roll())
    assert first.tag in home.call(tag_keys.recent_tags(person.public))
    home.clock.wall += DAY_SECONDS
    home.call(tag_keys.roll())
    assert first.tag not in home.call(tag_keys.recent_tags(person.public))
    assert len(home.call(tag_keys.recent_tags(person.public))) == KEPT_DAYS + 2


def test_day_keys_outlive_a_restart(open_threaded_home, tmp_path):
    home, person = open_threaded_home(), Person("anybody")
    tags = home.call(home.home.side.tag_keys.tags(person.public))
    home.close()
    home.close = lambda: None
    again = open_threaded_home()
    again.clock.wall = home.clock.wall
    assert again.call(again.home.side.tag_keys.tags(person.public)) == tags


def test_tags_tell_nothing_without_the_day_key():
    person, key = Person("anybody").public, secrets.token_bytes(32)
    assert sender_tag(key, person) == sender_tag(key, person)
    assert sender_tag(key, person) != sender_tag(secrets.token_bytes(32), person)
