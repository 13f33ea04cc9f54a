"""Safety words that were compared, decisions about the key that was seen, and contact URIs."""

from pathlib import Path

import pytest
import trio

from kezd.errors import Slug
from kezd.kez.contact_uri import format_contact_uri
from kezd.testing.hostile_home import Person

from .test_contacts import TEST_SECONDS, World, alarmed, world


async def known(w: World, person: Person) -> None:
    w.home.registers(person, "bobby")
    w.home.shows_chain(person)
    await w.contacts.add("bobby")


async def test_words_that_match_are_remembered_and_can_be_taken_back(tmp_path: Path) -> None:
    bob = Person(2).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await known(w, bob)
            shown = await w.contacts.show("bobby")
            assert (shown.verified_at, shown.reverify) == (None, False)
            words = shown.safety_words
            dry = await w.contacts.verify("bobby", words, match=True, dry_run=True)
            assert dry == shown
            verified = await w.contacts.verify("bobby", words, match=True)
            assert verified.verified_at is not None
            assert await w.contacts.show("bobby") == verified
            assert (await w.contacts.list(10, None)).items == [verified]
            assert (await w.events())[-1] == "changed"
            assert await w.contacts.verify("bobby", words, match=False) == shown


async def test_other_words_than_those_of_the_key_of_now_are_refused(tmp_path: Path) -> None:
    bob, rotated = Person(2).with_inbox(), Person(2).with_inbox().rotate_to(20)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await known(w, bob)
            words = (await w.contacts.show("bobby")).safety_words
            wrong = [*words[1:], words[0]]

            async def verify(shown: list[str]) -> None:
                await w.contacts.verify("bobby", shown, match=True)

            assert await w.slug(verify, wrong) is Slug.KEY_CHANGED
            assert await w.slug(verify, []) is Slug.KEY_CHANGED
            # The key rotates between the look at the screen and the answer.
            w.home.shows_chain(rotated)
            await w.contacts.refresh("bobby")
            assert await w.slug(verify, words) is Slug.KEY_CHANGED
            assert (await w.contacts.show("bobby")).verified_at is None


async def test_a_rotated_key_is_to_be_compared_again(tmp_path: Path) -> None:
    bob, rotated = Person(2).with_inbox(), Person(2).with_inbox().rotate_to(20)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await known(w, bob)
            await w.contacts.verify("bobby", (await w.contacts.show("bobby")).safety_words, match=True)
            w.home.shows_chain(rotated)
            shown = await w.contacts.refresh("bobby")
            assert (shown.verified_at, shown.reverify) == (None, True)
            again = await w.contacts.verify("bobby", shown.safety_words, match=True)
            assert (again.verified_at is not None, again.reverify) == (True, False)


async def test_a_key_change_clears_it_and_the_alarm_says_so(tmp_path: Path) -> None:
    first, second = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await known(w, first)
            words = (await w.contacts.show("bobby")).safety_words
            await w.contacts.verify("bobby", words, match=True)
            await alarmed(w, first, second)
            shown = await w.contacts.show("bobby")
            assert (shown.verified_at, shown.reverify) == (None, True)
            assert shown.alarm is not None
            assert "safety words that you compared" in shown.alarm.detail

            async def verify(shown: list[str]) -> None:
                await w.contacts.verify("bobby", shown, match=True)

            assert await w.slug(verify, words) is Slug.KEY_CHANGED, "decide about the alarm first"
            trusted = await w.contacts.decide("bobby", "trust_new", second.genesis.primary)
            assert (trusted.verified_at, trusted.reverify) == (None, True)
            assert trusted.safety_words == shown.alarm.new_safety_words


async def test_keeping_the_old_key_keeps_what_was_compared(tmp_path: Path) -> None:
    first, second = Person(2).with_inbox(), Person(3).with_inbox()
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await known(w, first)
            words = (await w.contacts.show("bobby")).safety_words
            verified = await w.contacts.verify("bobby", words, match=True)
            await alarmed(w, first, second)
            kept = await w.contacts.decide("bobby", "keep_old")
            assert (kept.verified_at, kept.reverify) == (verified.verified_at, False)


async def test_a_decision_is_about_the_key_that_was_seen(tmp_path: Path) -> None:
    first, second, third = (Person(number).with_inbox() for number in (2, 3, 4))
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            await alarmed(w, first, second)
            assert await w.slug(w.contacts.decide, "bobby", "trust_new") is Slug.INVALID_ARGUMENT
            w.home.registers(third, "bobby")
            w.home.shows_chain(third)
            await w.contacts.refresh("bobby")  # the watch, between the look and the answer
            seen = second.genesis.primary
            assert await w.slug(w.contacts.decide, "bobby", "trust_new", seen) is Slug.KEY_CHANGED
            assert (await w.contacts.show("bobby")).alarm is not None


@pytest.mark.parametrize("again", [False, True])
async def test_a_contact_uri_names_the_key_that_has_to_be_there(tmp_path: Path, again: bool) -> None:
    bob, other = Person(2).with_inbox(), Person(3)
    right = format_contact_uri("bobby@evil.test", bob.genesis.primary)
    wrong = format_contact_uri("bobby@evil.test", other.genesis.primary)
    with trio.fail_after(TEST_SECONDS):
        async with world(tmp_path) as w:
            w.home.registers(bob, "bobby")
            w.home.shows_chain(bob)
            if again:
                await w.contacts.add("bobby")
            assert await w.slug(w.contacts.add, wrong) is Slug.KEY_CHANGED
            assert len((await w.contacts.list(10, None)).items) == again
            assert (await w.contacts.add(right)).primary == bob.genesis.primary
            for bad in ("kez:bobby@evil.test", right + "&key=ed25519:00", "kez:x@y?key=nostr:z"):
                assert await w.slug(w.contacts.add, bad) is Slug.INVALID_ARGUMENT
