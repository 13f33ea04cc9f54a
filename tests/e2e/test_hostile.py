"""A hostile identity puts whatever it likes into Bob's inbox, through the real broker."""

from collections import Counter

import pytest
import trio

from kezd.kez.identifiers import parse_primary
from kezd.kez.keys import PublicKey
from kezd.runtime.transport import RefusalReason, Refused
from kezd.testing.hostile import Mallory, body, malformed_envelopes, new_signer, seal_any
from kezd.testing.people import Person, World, wait_until

YEAR = 365 * 86_400
REQUESTS_OF_ONE = 20
REQUESTS_IN_ALL = 1_000


def key_of(person: Person) -> PublicKey:
    return parse_primary(person.call("identity.show")["primary"])


def talk(alice: Person, bob: Person) -> None:
    """All is well between Alice and Bob."""
    sent, answer = alice.send("@bob", "still there?"), bob.send("@alice", "of course")
    alice.wait_states([sent])
    bob.wait_states([answer])


def total(person: Person) -> int:
    return sum(person.dropped().values())


def test_malformed_and_forged_envelopes_are_counted_and_dropped(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    victim, friend = key_of(bob), key_of(alice)
    before = [m["id"] for m in bob.history("@alice")]
    sent: list[str] = []

    async def attack() -> None:
        async with Mallory.open(world.homes[0].url, "mallory", "kez.test") as mallory:
            envelopes = malformed_envelopes(mallory.signer, victim, friend, mallory.clock.now())
            unique = {envelope.data: envelope.name for envelope in envelopes}
            for data, name in unique.items():
                with trio.fail_after(10):
                    result = await mallory.publish(victim, data)
                assert not isinstance(result, Refused), name
                sent.append(name)
            with trio.fail_after(10):
                too_large = await mallory.publish(victim, b"\x02" * 200 * 1024)
            assert too_large == Refused(RefusalReason.TOO_LARGE)

    trio.run(attack)
    wait_until("each is counted", lambda: total(bob) >= len(sent))
    assert total(bob) == len(sent), f"{bob.dropped()} for {Counter(sent)}"
    causes = {"bad_sealed", "wrong_recipient", "unauthorised_sender", "bad_body", "forged_receipt"}
    assert set(bob.dropped()) == causes
    assert [m["id"] for m in bob.history("@alice")] == before
    assert [c["handle"] for c in bob.call("contacts.list")["items"]] == ["alice@kez.test"]
    talk(alice, bob)


def test_replays_are_not_shown_twice(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    victim = key_of(bob)

    async def attack() -> None:
        async with Mallory.open(world.homes[0].url, "mallory", "kez.test") as mallory:
            members = body(mallory.signer.public, victim, "once", sent_at=mallory.clock.now())
            data = seal_any(mallory.signer, victim, members)
            for number in range(5):
                await mallory.publish(victim, data, dedupe_key=f"{number:032x}")
            again = seal_any(mallory.signer, victim, members | {"body": {"text": "twice"}})
            await mallory.publish(victim, again)

    trio.run(attack)
    wait_until("the replays are counted", lambda: bob.dropped().get("duplicate", 0) >= 5)
    stranger = next(c for c in bob.call("contacts.list")["items"] if c["state"] == "request")
    texts = [m["text"] for m in bob.history(stranger["genesis"])]
    assert texts == ["once"]
    talk(alice, bob)


def test_a_future_date_is_stored_and_flagged(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    victim = key_of(bob)

    async def attack() -> None:
        async with Mallory.open(world.homes[0].url, "mallory", "kez.test") as mallory:
            for off in (YEAR, -YEAR, 0):
                members = body(mallory.signer.public, victim, f"off {off}", sent_at=mallory.clock.now() + off)
                await mallory.publish(victim, seal_any(mallory.signer, victim, members))

    trio.run(attack)

    def texts() -> dict[str, bool]:
        requests = [c for c in bob.call("contacts.list")["items"] if c["state"] == "request"]
        return {m["text"]: m["future_dated"] for c in requests for m in bob.history(c["genesis"])}

    wait_until("three requests", lambda: len(texts()) == 3)
    assert texts() == {f"off {YEAR}": True, f"off {-YEAR}": False, "off 0": False}
    assert total(bob) == 0
    talk(alice, bob)


def test_a_flood_of_requests_is_capped(world: World) -> None:
    alice, bob = world.friends("alice", "bob")
    victim = key_of(bob)
    of_one, strangers = REQUESTS_OF_ONE + 15, 60

    async def attack() -> None:
        async with Mallory.open(world.homes[0].url, "mallory", "kez.test") as mallory:
            now = mallory.clock.now()
            signers = [mallory.signer, *(new_signer() for _ in range(strangers))]
            limiter = trio.CapacityLimiter(64)

            async def publish(data: bytes) -> None:
                async with limiter:
                    while isinstance(await mallory.publish(victim, data), Refused):
                        await trio.sleep(0.05)  # the inbox is full: she is patient

            async with trio.open_nursery() as nursery:
                for signer in signers:
                    stream = new_signer().public.hex[:32]
                    for n in range(1, of_one + 1):
                        members = body(signer.public, victim, f"buy {n}", sent_at=now, stream=stream, n=n)
                        nursery.start_soon(publish, seal_any(signer, victim, members))

    trio.run(attack)
    whole = of_one * (strangers + 1)
    wait_until(
        "the flood is over", lambda: bob.dropped().get("too_many_requests", 0) >= whole - REQUESTS_IN_ALL
    )
    # What is not acknowledged within `ack_wait` comes, and is dropped, a second time: at least so many.
    assert set(bob.dropped()) == {"too_many_requests"}
    talk(alice, bob)


@pytest.mark.parametrize("version", [1, 3, 255])
def test_unknown_versions_are_kept_within_bounds(world: World, version: int) -> None:
    alice, bob = world.friends("alice", "bob")
    victim = key_of(bob)

    async def attack() -> None:
        async with Mallory.open(world.homes[0].url, "mallory", "kez.test") as mallory:
            for number in range(5):
                await mallory.publish(victim, bytes([version]) + bytes([number]) * 600)

    trio.run(attack)
    talk(alice, bob)
    assert total(bob) == 0
