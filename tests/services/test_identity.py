"""From words to a published sigchain, over crashes, and back from paper, on a real home server."""

import base64
import json
import logging
import secrets
import shutil
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from kezd.errors import AccessError, KezdError, RequestError, Slug, TrustError, UnavailableError
from kezd.kez.envelope import Envelope, encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import Seed
from kezd.kez.mnemonic import seed_to_words, words_to_seed
from kezd.kez.nkeys import Prefix, encode_seed
from kezd.kez.registration import registration_payload
from kezd.kez.sigchain import Chain, Event, add, decode_jsonl, event_from_envelope, event_payload
from kezd.kez.signing import Signer
from kezd.services.identity import Chance
from kezd.store.idempotency import Once
from kezd.store.sigchains import load_jsonl, load_pending
from kezd.testing.home_driver import HomeProcess
from kezd.testing.ports import free_port
from kezd.testing.profile_services import (
    PASSPHRASE,
    CrashError,
    OpenProfile,
    Point,
    ProfileServices,
)

TEST_SECONDS = 60


def new_name() -> str:
    return "p" + secrets.token_hex(6)


async def confirmed(profile: OpenProfile, words: int = 24) -> list[str]:
    made = await profile.identity.create(words, None, False)  # type: ignore[arg-type]
    await profile.identity.confirm({place: made.words[place - 1] for place in made.ask})
    return made.words


async def enrolled(profile: OpenProfile, name: str, words: int = 24) -> list[str]:
    written = await confirmed(profile, words)
    await profile.identity.register(name, None)
    return written


async def slug_of(profile: OpenProfile, name: str = "register", *args: object) -> Slug:
    with pytest.raises(KezdError) as caught:
        await getattr(profile.identity, name)(*args)
    return caught.value.slug


async def stored_chain(profile: OpenProfile) -> Chain:
    primary = profile.identity.primary
    assert primary is not None
    return decode_jsonl(await profile.db.read(lambda tx: load_jsonl(tx, primary)), primary)


async def served_chain(profile: OpenProfile, home: HomeProcess) -> Chain:
    primary = profile.identity.primary
    assert primary is not None
    fetched = await profile.directory.fetch_chain(f"{home.url}/v1/sigchains/ed25519/{primary.hex}", primary)
    assert fetched is not None
    return decode_jsonl(fetched.jsonl, primary)


async def events_of(profile: OpenProfile) -> list[str]:
    rows = await profile.db.read(
        lambda tx: tx.all("SELECT body FROM events WHERE topic = 'identity' ORDER BY seq")
    )
    return [json.loads(row[0])["type"] for row in rows]


@pytest.mark.parametrize("count", [24, 12])
async def test_words_recall_register_and_publish(
    profiles: ProfileServices, home: HomeProcess, count: int
) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            identity = alice.identity
            assert (await identity.show()).state == "none"
            assert await slug_of(alice, "register", name, None) is Slug.NO_IDENTITY
            assert await slug_of(alice, "confirm", {}) is Slug.NO_IDENTITY
            assert await slug_of(alice, "words", PASSPHRASE) is Slug.NO_IDENTITY
            made = await identity.create(count, None, False)  # type: ignore[arg-type]
            assert len(made.words) == count
            assert len(set(made.ask)) == 3
            assert all(1 <= place <= count for place in made.ask)
            assert await identity.create(24, None, False) == made
            assert await slug_of(alice, "register", name, None) is Slug.IDENTITY_PENDING
            right = {place: made.words[place - 1] for place in made.ask}
            for wrong in ({}, right | {made.ask[0]: "zoo" if right[made.ask[0]] != "zoo" else "zone"}):
                assert await slug_of(alice, "confirm", wrong) is Slug.WORDS_NOT_CONFIRMED
            assert (await identity.confirm(right, dry_run=True)).state == "unconfirmed"
            shown = await identity.confirm({place: f" {word.upper()} " for place, word in right.items()})
            assert shown.state == "unregistered"
            assert await slug_of(alice, "create", 24, None, False) is Slug.IDENTITY_EXISTS
            assert (await identity.register(name, None, dry_run=True)).state == "unregistered"

            shown = await identity.register(f"@{name}", None)
            active = await identity.wait_active()
            assert (shown.state, shown.handle, shown.chain_seq) == ("active", f"{name}@kez.test", 2)
            assert Signer(words_to_seed(made.words)).public == active.primary
            assert (active.server, active.home_url, active.nats_url) == ("kez.test", home.url, home.nats_url)
            assert (active.takeover, active.restored_at) == (False, None)
            chain = await served_chain(alice, home)
            assert chain == await stored_chain(alice)
            [nats] = chain.nats_endpoints
            assert (nats.url, nats.inbox, nats.accepts) == (
                home.nats_url,
                f"kez.inbox.{active.primary.hex}",
                (2,),
            )
            assert [e.node_id for e in chain.iroh_endpoints] == [active.primary.hex]
            assert await identity.register(name, None) == shown
            assert await slug_of(alice, "register", "somebody-else", None) is Slug.IDENTITY_EXISTS
            assert await events_of(alice) == ["created", "registered"]
            assert (await identity.words(PASSPHRASE)).words == made.words
            assert await slug_of(alice, "words", "wrong") is Slug.WRONG_PASSPHRASE
            assert await slug_of(alice, "words", None) is Slug.PASSPHRASE_NEEDED
        async with profiles.open("alice") as alice:
            assert (await alice.identity.wait_active()).installation_id == active.installation_id
            assert await alice.identity.show() == shown


async def test_randomness_is_injected(profiles: ProfileServices) -> None:
    chance = Chance(entropy=lambda size: b"\x07" * size, sample=lambda places, n: list(places)[:n])
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice", chance=chance) as alice:
            made = await alice.identity.create(24, None, False)
            assert made.words == list(seed_to_words(Seed(b"\x07" * 32)))
            assert made.ask == [1, 2, 3]


async def test_create_is_idempotent_by_key_and_keeps_no_words(profiles: ProfileServices) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            dry = await alice.identity.create(24, None, True)
            assert (dry.words, dry.ask) == ([], [])
            assert alice.identity.primary is None
            once = Once("k", "identity.create", "hash")
            made = await alice.identity.create(24, once, False)
            assert await alice.identity.create(24, once, False) == made
            assert await slug_of(alice, "create", 24, Once("k", "identity.create", "other"), False) is (
                Slug.IDEMPOTENCY_CONFLICT
            )
            stored = await alice.db.read(lambda tx: tx.all("SELECT result FROM idempotency"))
            assert stored == [("{}",)]


@pytest.mark.parametrize("point", Point)
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_crash_at_any_upload_loses_and_doubles_nothing(
    profiles: ProfileServices, home: HomeProcess, at: int, point: Point
) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        with pytest.RaisesGroup(CrashError):
            async with profiles.open("alice", crash_at=at, point=point) as alice:
                await confirmed(alice)
                first = alice.directory.sent
                await alice.identity.register(name, None)
        async with profiles.open("alice") as alice:
            await alice.identity.wait_active()
            chain = await served_chain(alice, home)
            assert chain == await stored_chain(alice)
            assert [event.op for event in chain.events] == ["add_endpoint", "add_endpoint"]
            assert await alice.db.read(lambda tx: load_pending(tx, chain.genesis)) is None
            assert_same_bytes_for_the_same_place([*first, *alice.directory.sent])
            assert (await alice.identity.show()).handle == f"{name}@kez.test"
            assert await events_of(alice) == ["created", "registered"]


def assert_same_bytes_for_the_same_place(uploads: list[Envelope | Event]) -> None:
    seen: dict[int, bytes] = {}
    for upload in uploads:
        place, data = (
            (upload.seq, upload.encoded) if isinstance(upload, Event) else (0, encode_envelope(upload))
        )
        assert seen.setdefault(place, data) == data


async def test_a_registration_that_grew_stale_is_signed_anew(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("stale")
    with HomeProcess.start(folder / "home", server="kez.test") as home, trio.fail_after(TEST_SECONDS):
        profiles = ProfileServices(folder, home.url, {"kez.test": home.url}, ShiftedClock())
        clock = profiles_clock(profiles)
        clock.offset = -3600.0
        with pytest.RaisesGroup(CrashError):
            async with profiles.open("alice", crash_at=1) as alice:
                await confirmed(alice)
                await alice.identity.register("alice", None)
        clock.offset = 0.0
        async with profiles.open("alice") as alice:
            assert (await alice.identity.wait_active()).handle == Handle("alice", "kez.test")
        clock.offset = -3600.0
        async with profiles.open("bob") as bob:
            await confirmed(bob)
            with pytest.raises(UnavailableError, match="5 minutes"):
                await bob.identity.register("bobby", None)


class ShiftedClock:
    """The machine's clock with its wall time off."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset  # noqa: TID251 - the clock under test

    def monotonic(self) -> float:
        return time.monotonic()


def profiles_clock(profiles: ProfileServices) -> ShiftedClock:
    clock = profiles._clock
    assert isinstance(clock, ShiftedClock)
    return clock


async def test_taken_handles_and_lost_answers(profiles: ProfileServices) -> None:
    name, other = new_name(), new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            await enrolled(alice, name)
        async with profiles.open("bob") as bob:
            await confirmed(bob)
            assert await slug_of(bob, "register", name, None) is Slug.HANDLE_TAKEN
            assert await slug_of(bob, "register", "x", None) is Slug.INVALID_ARGUMENT
            assert await slug_of(bob, "register", f"{other}@elsewhere.example", None) is Slug.INVALID_ARGUMENT
            assert await slug_of(bob, "register", other, "http://kez.lat") is Slug.INVALID_ARGUMENT
            assert (await bob.identity.show()).state == "unregistered"
            # An earlier registration, made by this key with other bytes: the answer was lost.
            active = Signer(words_to_seed((await bob.identity.words(PASSPHRASE)).words))
            payload = registration_payload(Handle(other, "kez.test"), active.public, int(bob.clock.now()) - 7)
            await bob.directory.register("kez.test", active.registration(payload))
            with pytest.raises(RequestError, match=other) as caught:
                await bob.identity.register(new_name(), None)
            assert caught.value.slug is Slug.PRIMARY_TAKEN
            assert (await bob.identity.register(other, None)).handle == f"{other}@kez.test"


async def test_an_unreachable_home_is_a_wait_not_a_loss(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("away")
    with HomeProcess.start(folder / "home", server="kez.test") as home, trio.fail_after(TEST_SECONDS):
        profiles = ProfileServices(folder, home.url, {"kez.test": home.url})
        async with profiles.open("alice") as alice:
            await confirmed(alice)
            assert (
                await slug_of(alice, "register", "alice", f"http://127.0.0.1:{free_port()}")
                is Slug.HOME_UNREACHABLE
            )
            await alice.identity.register("alice", None)
            chain = await served_chain(alice, home)
        home.kill()
        async with profiles.open("alice") as alice:
            assert (await alice.identity.wait_active()).primary == chain.genesis
            home.restart()


async def test_a_server_that_lost_the_chain_gets_it_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lost")
    with HomeProcess.start(folder / "home", server="kez.test") as home, trio.fail_after(TEST_SECONDS):
        profiles = ProfileServices(folder, home.url, {"kez.test": home.url})
        async with profiles.open("alice") as alice:
            await confirmed(alice)
            await alice.identity.register("alice", None)
            chain = await served_chain(alice, home)
        home.stop()
        for file in (folder / "home").glob("*sigchain*"):
            file.unlink()
        home.restart()
        async with profiles.open("alice") as alice:
            while (await served_chain(alice, home)) != chain:
                await trio.sleep(0.05)


async def test_restore_on_an_empty_machine_and_take_over_again(
    profiles: ProfileServices, home: HomeProcess
) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("first") as first:
            words = await enrolled(first, name)
            before = await first.identity.show()
            installation = (await first.identity.wait_active()).installation_id
        async with profiles.open("second") as second:
            assert await slug_of(second, "restore", None, None) is Slug.NO_IDENTITY
            assert await slug_of(second, "restore", "abandon " * 24, None) is Slug.WRONG_WORDS
            nobody = " ".join(seed_to_words(Seed(secrets.token_bytes(32))))
            assert await slug_of(second, "restore", nobody, None) is Slug.NOT_REGISTERED
            tried = await second.identity.restore(" ".join(words), None, dry_run=True)
            assert tried.state == (await second.identity.show()).state == "none"
            shown = await second.identity.restore("  ".join(words).upper(), None)
            assert shown == before
            active = await second.identity.wait_active()
            assert active.takeover
            assert active.restored_at is not None
            assert active.installation_id != installation
            assert (await second.identity.words(PASSPHRASE)).words == words
            await second.identity.session_began()
            assert not (await second.identity.wait_active()).takeover
            assert await slug_of(second, "restore", " ".join(words), None) is Slug.IDENTITY_EXISTS
            repeated = await second.identity.restore(" ".join(words), None, again=True)
            assert (repeated.state, repeated.primary) == ("active", before.primary)
            assert await slug_of(second, "create", 24, None, False) is Slug.IDENTITY_EXISTS
            assert await events_of(second) == ["restored"]
        async with profiles.open("first") as first:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(first.identity.wait_inactive)
                await trio.testing.wait_all_tasks_blocked()
                await first.identity.superseded("another installation took over")
            shown = await first.identity.show()
            assert (shown.state, shown.reason) == ("superseded", "another installation took over")
            assert await slug_of(first, "register", name, None) is Slug.SUPERSEDED
        async with profiles.open("first") as first:
            assert first.identity.active is None
            assert (await first.identity.words(PASSPHRASE)).words == words
            assert (await first.identity.restore(None, None)).state == "active"
            active = await first.identity.wait_active()
            assert (active.takeover, active.installation_id) == (True, installation)
            assert await events_of(first) == ["created", "registered", "superseded", "resumed"]


async def test_restore_of_twelve_words_shows_the_twelve_again(profiles: ProfileServices) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("first") as first:
            words = await enrolled(first, name, 12)
        async with profiles.open("second") as second:
            await second.identity.restore(" ".join(words), None)
            assert (await second.identity.words(PASSPHRASE)).words == words


async def test_after_a_restore_the_chain_goes_on_where_the_server_is(
    profiles: ProfileServices, home: HomeProcess
) -> None:
    """The first machine's chain went on meanwhile; nothing is signed at a seq that is taken."""
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("first") as first:
            words = await enrolled(first, name)
        shutil.copytree(profiles.folder / "first", profiles.folder / "old-copy")
        async with profiles.open("first") as first:
            signer = (await first.identity.wait_active()).signer
            chain = await stored_chain(first)
            event = event_from_envelope(
                signer.sigchain_event(
                    event_payload(chain, "add", add("github:octocat"), int(first.clock.now()))
                )
            )
            url = f"{home.url}/v1/sigchains/ed25519/{signer.public.hex}"
            await first.directory.append_event(url, signer.public, event)
        async with profiles.open("second") as second:
            assert (await second.identity.restore(" ".join(words), None)).chain_seq == 3
        async with profiles.open("old-copy") as old:
            while len((await stored_chain(old)).events) < 3:
                await trio.sleep(0.05)
            assert old.directory.sent == []


async def test_a_fork_of_our_own_chain_is_an_alarm(profiles: ProfileServices, home: HomeProcess) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            words = await confirmed(alice)
            signer = Signer(words_to_seed(words))
            other = event_from_envelope(
                signer.sigchain_event(
                    event_payload(signer.public, "add", add("github:octocat"), 1_700_000_000)
                )
            )
            mine = event_from_envelope(
                signer.sigchain_event(event_payload(signer.public, "add", add("github:hubot"), 1_700_000_000))
            )
            await alice.db.write(
                lambda tx: tx.execute(
                    "INSERT INTO sigchain_events (genesis, seq, encoded) VALUES (?, 1, ?)",
                    (signer.public.raw, mine.encoded),
                )
            )
            url = f"{home.url}/v1/sigchains/ed25519/{signer.public.hex}"
            await alice.directory.append_event(url, signer.public, other)
            with pytest.raises(TrustError) as caught:
                await alice.identity.register(name, None)
            assert caught.value.slug is Slug.CHAIN_FORK
            assert (await alice.identity.show()).state == "unregistered"


async def test_a_stored_event_whose_place_was_taken_is_dropped_not_signed_again(
    profiles: ProfileServices, home: HomeProcess
) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        with pytest.RaisesGroup(CrashError):
            async with profiles.open("alice", crash_at=2) as alice:
                words = await confirmed(alice)
                await alice.identity.register(name, None)
        signer = Signer(words_to_seed(words))
        async with profiles.open("other") as helper:
            other = event_from_envelope(
                signer.sigchain_event(
                    event_payload(signer.public, "add", add("github:octocat"), 1_700_000_000)
                )
            )
            url = f"{home.url}/v1/sigchains/ed25519/{signer.public.hex}"
            await helper.directory.append_event(url, signer.public, other)
        async with profiles.open("alice") as alice:
            await alice.identity.wait_active()
            chain = await served_chain(alice, home)
            assert [event.op for event in chain.events] == ["add", "add_endpoint", "add_endpoint"]
            assert chain == await stored_chain(alice)


async def test_a_restore_over_unconfirmed_words_and_a_crash_in_it(profiles: ProfileServices) -> None:
    name = new_name()
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("first") as first:
            words = await enrolled(first, name)
        async with profiles.open("second") as second:
            await second.identity.create(24, None, False)
            record = await second.vault.unlock(PASSPHRASE)
            # The crash: the vault has the restored seed, the database still the unconfirmed one.
            await second.vault.save(record.with_identity(words_to_seed(words), None))
        async with profiles.open("second") as second:
            assert (await second.identity.show()).state == "none"
            assert (await second.identity.restore(" ".join(words), None)).handle == f"{name}@kez.test"
        async with profiles.open("second") as second:
            await second.vault.save(
                (await second.vault.unlock(PASSPHRASE)).with_identity(Seed(b"x" * 32), None)
            )
        with pytest.raises(AccessError) as caught:
            async with profiles.open("second"):
                pass
        assert caught.value.slug is Slug.VAULT_DAMAGED


async def test_no_secret_is_on_disk_or_in_a_log(
    profiles: ProfileServices, caplog: pytest.LogCaptureFixture
) -> None:
    name = new_name()
    caplog.set_level(logging.DEBUG)
    with trio.fail_after(TEST_SECONDS):
        async with profiles.open("alice") as alice:
            words = await enrolled(alice, name)
            shown = repr(vars(alice.identity)) + repr(alice.identity.active)
            await slug_of(alice, "restore", " ".join(words[:-1]), None)
            while_open = everything_under(profiles.folder)
        after = everything_under(profiles.folder)
    seed = words_to_seed(words).reveal()
    secret_forms = [
        seed,
        seed.hex().encode(),
        seed.hex().upper().encode(),
        base64.b64encode(seed).rstrip(b"="),
        base64.urlsafe_b64encode(seed).rstrip(b"="),
        encode_seed(Prefix.USER, seed).encode(),
        PASSPHRASE.encode(),
        *(" ".join(words[i : i + 3]).encode() for i in range(len(words) - 2)),
        *(json.dumps(words[i : i + 3], separators=(",", ":"))[1:-1].encode() for i in range(len(words) - 2)),
    ]
    logged = (caplog.text + shown).encode()
    for form in secret_forms:
        assert form not in while_open
        assert form not in after
        assert form not in logged


def everything_under(folder: Path) -> bytes:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "peer.db-wal" or file.name == "peer.db" for file in files)
    return b"".join(file.read_bytes() for file in files)
