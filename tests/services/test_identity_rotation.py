"""The states of a rotation that no kill at a commit reaches, and what it refuses, on a real home."""

import secrets
from dataclasses import replace

import pytest
import trio

from kezd.errors import KezdError, Slug
from kezd.kez.keys import Seed
from kezd.kez.mnemonic import seed_to_words
from kezd.store.identity import RotationState, load_identity, save_identity
from kezd.testing.profile_services import CrashError, OpenProfile, Point, ProfileServices

TEST_SECONDS = 60


async def enrolled(profile: OpenProfile) -> None:
    made = await profile.identity.create(24, None, False)
    await profile.identity.confirm({place: made.words[place - 1] for place in made.ask})
    await profile.identity.register("p" + secrets.token_hex(6), None)


async def begun(profile: OpenProfile) -> tuple[str, dict[int, str]]:
    shown = await profile.identity.begin_rotation(24, None)
    return shown.primary, {place: shown.words[place - 1] for place in shown.ask}


async def slug_of(call: object) -> Slug:
    with pytest.raises(KezdError) as caught:
        await call  # type: ignore[misc]
    return caught.value.slug


async def wait_rotated(profile: OpenProfile) -> str:
    while (shown := await profile.identity.show()).rotation is not None or shown.chain_seq != 5:
        await trio.sleep(0.02)
    assert shown.key is not None
    return shown.key


async def test_nothing_is_signed_before_the_words_are_recalled(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            identity = alice.identity
            assert await slug_of(identity.begin_rotation(24, None)) is Slug.NO_IDENTITY
            await enrolled(alice)
            assert await slug_of(identity.confirm_rotation({})) is Slug.INVALID_ARGUMENT
            assert (await identity.begin_rotation(24, None, dry_run=True)).words == []
            key, answers = await begun(alice)
            assert (await begun(alice)) == (key, answers)
            assert await slug_of(identity.confirm_rotation({})) is Slug.WORDS_NOT_CONFIRMED
            assert (await identity.confirm_rotation(answers, dry_run=True)).rotation == "shown"
            assert (await identity.cancel_rotation()).rotation is None
            assert await slug_of(identity.confirm_rotation(answers)) is Slug.INVALID_ARGUMENT
            given = Seed(secrets.token_bytes(32))
            shown = await identity.begin_rotation(24, " ".join(seed_to_words(given)))
            assert tuple(shown.words) == seed_to_words(given)
            assert (await identity.show()).chain_seq == 2
            assert identity.record.seed != given


async def test_the_key_of_now_and_former_keys_are_refused(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
            seed = alice.identity.record.seed
            assert seed is not None
            words = " ".join(seed_to_words(seed))
            assert await slug_of(alice.identity.begin_rotation(24, words)) is Slug.INVALID_ARGUMENT
            key, answers = await begun(alice)
            await alice.identity.confirm_rotation(answers)
            assert await wait_rotated(alice) == key
            assert (await alice.identity.confirm_rotation(answers)).key == key, "the answer again"
            assert await slug_of(alice.identity.confirm_rotation({1: "zoo"})) is Slug.INVALID_ARGUMENT
            assert await slug_of(alice.identity.begin_rotation(24, words)) is Slug.INVALID_ARGUMENT
            [retired] = alice.identity.retired_signers()
            assert retired.public == alice.identity.primary


@pytest.mark.parametrize("point", list(Point))
async def test_a_crash_beside_the_upload(profiles: ProfileServices, point: Point) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
        key = ""
        with pytest.RaisesGroup(CrashError):
            async with profiles.open("alice", crash_at=1, point=point) as alice:
                key, answers = await begun(alice)
                await alice.identity.confirm_rotation(answers)
        async with profiles.open("alice") as alice:
            assert await wait_rotated(alice) == key
            chain = alice.identity.chain
            assert chain is not None
            assert [event.op for event in chain.events].count("rotate") == 1


async def test_killed_between_the_vault_and_the_row(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
            key, answers = await begun(alice)
            await alice.identity.confirm_rotation(answers)
            await wait_rotated(alice)
            row = await alice.db.read(load_identity)
            assert row is not None
            before = replace(row, rotation=RotationState.CONFIRMED)
            await alice.db.write(lambda tx: save_identity(tx, before))
        async with profiles.open("alice") as alice:
            assert await wait_rotated(alice) == key
            assert len(alice.identity.record.retired) == 1


async def test_killed_between_the_chain_and_the_vault_it_needs_no_network(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
            record = alice.identity.record
            key, answers = await begun(alice)
            coming = alice.identity.record.coming
            await alice.identity.confirm_rotation(answers)
            await wait_rotated(alice)
            row = await alice.db.read(load_identity)
            assert row is not None
            before = replace(row, rotation=RotationState.CONFIRMED)
            await alice.db.write(lambda tx: save_identity(tx, before))
            await alice.vault.save(record.with_coming(coming))
        async with profiles.open("alice") as alice:
            assert alice.identity.key is not None
            assert alice.identity.key.primary == key
            assert await wait_rotated(alice) == key
            assert [old.seed for old in alice.identity.record.retired] == [record.seed]


async def test_a_backup_of_before_says_that_there_is_a_newer_key(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
            record = alice.identity.record
            _, answers = await begun(alice)
            await alice.identity.confirm_rotation(answers)
            await wait_rotated(alice)
            await alice.vault.save(record)
        async with profiles.open("alice") as alice:
            assert (
                await slug_of(alice.identity.append("revoke_device", {"device": "9"})) is Slug.CHAIN_INVALID
            )
