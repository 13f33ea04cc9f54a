"""The port `HomeDirectory` on a real home: the HTTP adapter, and the one that tests put before it."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from kezd.errors import RequestError, Slug, UnavailableError
from kezd.kez.envelope import Envelope
from kezd.kez.handles import Handle
from kezd.kez.identifiers import parse_identifier
from kezd.kez.keys import Seed
from kezd.kez.profile import profile_payload
from kezd.kez.registration import registration_payload, verify_registration
from kezd.kez.sigchain import add, decode_jsonl, event_from_envelope, event_payload
from kezd.kez.signing import Signer
from kezd.net.home import HomeClient
from kezd.runtime.clock import SystemClock
from kezd.services.ports import HomeDirectory
from kezd.testing.home_driver import HomeProcess
from kezd.testing.profile_services import CrashingDirectory

TEST_SECONDS = 30


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeProcess]:
    with HomeProcess.start(tmp_path_factory.mktemp("home"), server="kez.test") as process:
        yield process
        assert process.errors() == []


@pytest.fixture(params=["http", "crashing"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def directory(kind: str, home: HomeProcess) -> AsyncIterator[HomeDirectory]:
    async with HomeClient.open(lambda server: f"https://{server}", version="test") as client:
        opened: HomeDirectory = client if kind == "http" else CrashingDirectory(client)
        opened.use("kez.test", home.url + "/")
        yield opened


def somebody() -> tuple[Signer, Handle]:
    return Signer(Seed(secrets.token_bytes(32))), Handle("d" + secrets.token_hex(6), "kez.test")


async def test_info(kind: str, home: HomeProcess) -> None:
    with trio.fail_after(TEST_SECONDS):
        async with directory(kind, home) as homes:
            info = await homes.info("kez.test")
            assert info == await homes.info_at(home.url)
            assert (info.server, info.nats_urls) == ("kez.test", (home.nats_url,))


async def test_register_and_look_up(kind: str, home: HomeProcess) -> None:
    signer, handle = somebody()
    now = int(SystemClock().now())
    with trio.fail_after(TEST_SECONDS):
        async with directory(kind, home) as homes:
            assert await homes.lookup(handle) is None
            assert await homes.lookup_primary("kez.test", signer.public) is None
            envelope = signer.registration(registration_payload(handle, signer.public, now))
            record = await homes.register("kez.test", envelope)
            assert await homes.register("kez.test", envelope) == record
            assert await homes.lookup(handle) == record
            assert await homes.lookup_primary("kez.test", signer.public) == record
            assert (record.handle, record.primary) == (handle, signer.public)
            assert verify_registration(record.registration, server="kez.test", now=now).handle == handle
            other, other_handle = somebody()
            for who, what, slug in (
                (other, handle, Slug.HANDLE_TAKEN),
                (signer, other_handle, Slug.PRIMARY_TAKEN),
                (other, Handle("other", "elsewhere.test"), Slug.INVALID_ARGUMENT),
            ):
                with pytest.raises(RequestError) as caught:
                    await homes.register(
                        "kez.test", who.registration(registration_payload(what, who.public, now))
                    )
                assert caught.value.slug is slug
            with pytest.raises(UnavailableError) as stale:
                await homes.register(
                    "kez.test",
                    other.registration(registration_payload(other_handle, other.public, now - 3600)),
                )
            assert stale.value.detail == {"reason": "stale_date"}


async def test_chains(kind: str, home: HomeProcess) -> None:
    signer, _ = somebody()
    genesis = signer.public
    url = f"{home.url}/v1/sigchains/ed25519/{genesis.hex}"
    now = int(SystemClock().now())

    def signed(after: object, subject: str):  # type: ignore[no-untyped-def]
        return event_from_envelope(signer.sigchain_event(event_payload(after, "add", add(subject), now)))  # type: ignore[arg-type]

    with trio.fail_after(TEST_SECONDS):
        async with directory(kind, home) as homes:
            nothing = await homes.fetch_chain(url, genesis)
            assert nothing is not None
            assert nothing.jsonl == b""
            first = signed(genesis, "github:one")
            head = await homes.append_event(url, genesis, first)
            assert (head.seq, head.hash) == (1, first.hash)
            assert await homes.append_event(url, genesis, first) == head
            fetched = await homes.fetch_chain(url, genesis)
            assert fetched is not None
            chain = decode_jsonl(fetched.jsonl, genesis)
            assert chain.head == head
            assert await homes.fetch_chain(url, genesis, fetched.etag) is None
            with pytest.raises(RequestError) as caught:
                await homes.append_event(url, genesis, signed(genesis, "github:two"))
            assert caught.value.slug is Slug.IDEMPOTENCY_CONFLICT
            assert caught.value.detail == {"head": {"seq": 1, "hash": first.hash}}
            await homes.append_event(url, genesis, signed(chain, "github:two"))
            longer = await homes.fetch_chain(url, genesis, fetched.etag)
            assert longer is not None
            assert len(decode_jsonl(longer.jsonl, genesis).events) == 2


async def test_being_found_by_a_proof(kind: str, home: HomeProcess) -> None:
    signer, handle = somebody()
    now = int(SystemClock().now())
    subject = parse_identifier(f"dns:{secrets.token_hex(6)}.example")
    with trio.fail_after(TEST_SECONDS):
        async with directory(kind, home) as homes:
            await homes.register(
                "kez.test", signer.registration(registration_payload(handle, signer.public, now))
            )
            assert await homes.find_by_proof("kez.test", subject) == ()

            def profile(subjects: list[str], at: int) -> Envelope:
                return signer.profile_proofs(profile_payload(handle, signer.public, subjects, at))

            await homes.put_profile("kez.test", handle, profile([str(subject)], now))
            assert await homes.find_by_proof("kez.test", subject) == (handle,)
            with pytest.raises(RequestError) as older:
                await homes.put_profile("kez.test", handle, profile([], now - 1))
            assert older.value.slug is Slug.IDEMPOTENCY_CONFLICT
            other, _ = somebody()
            forged = other.profile_proofs(profile_payload(handle, other.public, [], now + 1))
            with pytest.raises(RequestError) as refused:
                await homes.put_profile("kez.test", handle, forged)
            assert refused.value.slug is Slug.INVALID_ARGUMENT
            with pytest.raises(UnavailableError) as stale:
                await homes.put_profile("kez.test", handle, profile([], now + 3600))
            assert stale.value.detail == {"reason": "stale_date"}
