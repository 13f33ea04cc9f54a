"""`ChainWriter.append`: one event, once, over crashes and beside another installation, on a real home."""

import secrets

import pytest
import trio

from kezd.errors import KezdError, Slug
from kezd.kez.mnemonic import words_to_seed
from kezd.kez.sigchain import Chain, add, add_device, decode_jsonl, event_from_envelope, event_payload, revoke
from kezd.kez.signing import Signer
from kezd.services.ports import ChainWriter
from kezd.store.sigchains import load_jsonl, load_pending
from kezd.testing.home_driver import HomeProcess
from kezd.testing.profile_services import CrashError, OpenProfile, Point, ProfileServices

TEST_SECONDS = 60


async def enrolled(profile: OpenProfile) -> Signer:
    made = await profile.identity.create(24, None, False)
    await profile.identity.confirm({place: made.words[place - 1] for place in made.ask})
    await profile.identity.register("p" + secrets.token_hex(6), None)
    return Signer(words_to_seed(made.words))


async def served_chain(profile: OpenProfile, home: HomeProcess) -> Chain:
    primary = profile.identity.primary
    assert primary is not None
    fetched = await profile.directory.fetch_chain(f"{home.url}/v1/sigchains/ed25519/{primary.hex}", primary)
    assert fetched is not None
    return decode_jsonl(fetched.jsonl, primary)


async def refusal(writer: ChainWriter, op: str, members: dict[str, object]) -> Slug:
    with pytest.raises(KezdError) as caught:
        await writer.append(op, members)
    return caught.value.slug


async def test_what_is_said_already_is_not_said_again(profiles: ProfileServices, home: HomeProcess) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            writer: ChainWriter = alice.identity
            assert await refusal(writer, "add", add("github:alice")) is Slug.NO_IDENTITY
            key = await enrolled(alice)
            first = await writer.append("add", add("github:alice"))
            assert first.seq == 3
            assert await writer.append("add", add("github:alice")) == first
            device = add_device("1", "phone", key.public, ["chat"])
            assert (await writer.append("add_device", device)).seq == 4
            assert (await writer.append("add_device", device)).seq == 4
            assert (await writer.append("revoke_device", {"device": "1"})).seq == 5
            assert (await writer.append("revoke_device", {"device": "1"})).seq == 5
            assert (await writer.append("revoke", revoke("github:alice"))).seq == 6
            assert (await writer.append("add", add("github:alice"))).seq == 7
            assert await refusal(writer, "add", {"subject": "GitHub:Alice"}) is Slug.INVALID_ARGUMENT
            assert await refusal(writer, "rotate", {}) is Slug.INVALID_ARGUMENT
            served = await served_chain(alice, home)
            assert served.head == await writer.append("add", add("github:alice"))
            assert (await alice.identity.show()).chain_seq == 7


@pytest.mark.parametrize("point", list(Point))
async def test_a_crash_beside_the_upload_sends_the_same_bytes(
    profiles: ProfileServices, home: HomeProcess, point: Point
) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice)
        with pytest.RaisesGroup(CrashError):
            async with profiles.open("alice", crash_at=1, point=point) as alice:
                await alice.identity.append("add", add("dns:alice.test"))
        async with profiles.open("alice") as alice:
            primary = alice.identity.primary
            assert primary is not None
            kept = await alice.db.read(lambda tx: load_pending(tx, primary))
            head = await alice.identity.append("add", add("dns:alice.test"))
            assert head.seq == 3
            chain = await served_chain(alice, home)
            assert chain.events[2].encoded == (kept or chain.events[2].encoded)
            stored = await alice.db.read(lambda tx: load_jsonl(tx, primary))
            assert stored == b"".join(event.encoded + b"\n" for event in chain.events)


async def test_after_another_installation_wrote_its_events_come_first(
    profiles: ProfileServices, home: HomeProcess
) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            key = await enrolled(alice)
            chain = await served_chain(alice, home)
            payload = event_payload(chain, "add", add("github:other"), 1_800_000_000)
            event = event_from_envelope(key.sigchain_event(payload))
            url = f"{home.url}/v1/sigchains/ed25519/{chain.genesis.hex}"
            await alice.directory.append_event(url, chain.genesis, event)
            assert (await alice.identity.append("add", add("github:mine"))).seq == 4
            served = await served_chain(alice, home)
            assert [str(claim.subject) for claim in served.subjects] == ["github:other", "github:mine"]
