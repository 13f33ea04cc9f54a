"""One effect for a key: at the same time, after errors, after errors that changed something."""

import pytest
import trio
import trio.testing

from kezd.api import types as t
from kezd.errors import KezdError, Slug, TrustError, UnavailableError
from kezd.rpc.once import Keys
from kezd.testing.memory_peer import CONTACT, MemoryLog, MemoryProfile
from kezd.testing.rpc_driver import open_rpc

ONCE = ("k", "contacts.add", "hash")


class Work:
    """Something that is done, when it is let."""

    def __init__(self, error: KezdError | None = None) -> None:
        self.error = error
        self.done = 0
        self.gate = trio.Event()
        self.gate.set()

    async def __call__(self) -> t.Result:
        self.done += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return CONTACT


async def slug_of(keys: Keys, profile: MemoryProfile, work: Work) -> Slug | None:
    try:
        await keys.run(profile, "k", ONCE, work)
    except KezdError as error:
        return error.slug
    return None


async def test_the_second_waits_for_the_first_and_gets_its_result():
    with trio.fail_after(5):
        keys, profile, work = Keys(), MemoryProfile(MemoryLog()), Work()
        work.gate = trio.Event()
        results = []

        async def call() -> None:
            results.append(await keys.run(profile, "k", ONCE, work))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            assert work.done == 1
            work.gate.set()
        assert work.done == 1
        shown = {r.genesis if isinstance(r, t.Contact) else r["genesis"] for r in results}
        assert (len(results), shown) == (5, {CONTACT.genesis})


async def test_an_error_that_changed_nothing_is_not_remembered():
    keys, profile = Keys(), MemoryProfile(MemoryLog())
    failing = Work(UnavailableError(Slug.HOME_UNREACHABLE))
    assert [await slug_of(keys, profile, failing) for _ in range(2)] == [Slug.HOME_UNREACHABLE] * 2
    assert failing.done == 2
    working = Work()
    assert await slug_of(keys, profile, working) is None


async def test_an_error_that_changed_something_is_the_answer_from_then_on():
    keys, profile = Keys(), MemoryProfile(MemoryLog())
    error = TrustError(Slug.KEY_CHANGED, "changed", detail={"contact": "c"}).after_change()
    failing = Work(error)
    assert [await slug_of(keys, profile, failing) for _ in range(2)] == [Slug.KEY_CHANGED] * 2
    assert failing.done == 1
    with pytest.raises(TrustError) as again:
        await keys.run(profile, "k", ONCE, failing)
    assert (again.value.message, again.value.hint, again.value.detail) == (
        error.message,
        error.hint,
        error.detail,
    )


async def test_the_second_does_it_when_the_first_is_cancelled():
    with trio.fail_after(5):
        keys, profile, work = Keys(), MemoryProfile(MemoryLog()), Work()
        work.gate = trio.Event()
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def first() -> None:
                with scope:
                    await keys.run(profile, "k", ONCE, work)

            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(keys.run, profile, "k", ONCE, work)
            await trio.testing.wait_all_tasks_blocked()
            assert work.done == 1
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert work.done == 2
            work.gate.set()


async def test_over_connections(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as one, rpc.connect() as other:
            profile = rpc.peer.default
            profile.remembering = trio.Event()
            await one.begin("contacts.add", handle="@bob", idempotency_key="k")
            await other.begin("contacts.add", handle="@bob", idempotency_key="k")
            conflicting = await other.begin("contacts.add", handle="@eve", idempotency_key="k")
            await trio.testing.wait_all_tasks_blocked()
            profile.remembering.set()
            first = await one.receive()
            answers = {a["id"]: a for a in [await other.receive(), await other.receive()]}
            refused = answers.pop(conflicting)
            assert refused["error"]["data"]["slug"] == "idempotency_conflict"
            (second,) = answers.values()
            assert first["result"] == second["result"]
            assert profile.sent == ["@bob"]
