"""Who may call what: every method with every scope, from a real socket; and tokens while connections live."""

from contextlib import suppress

import pytest
import trio

from kezd.api.methods import METHODS, Scope
from kezd.rpc.handlers.summaries import SUMMARIES
from kezd.testing.minimal_calls import MINIMAL, prepare
from kezd.testing.rpc_driver import INITIALIZE, open_rpc

INCLUDES = {
    Scope.READ: {Scope.READ},
    Scope.CHAT: {Scope.READ, Scope.CHAT},
    Scope.FULL: {Scope.READ, Scope.CHAT, Scope.FULL},
}
CELLS = [(method, scope) for method in METHODS for scope in Scope]


def slug(answer):
    return answer["error"]["data"]["slug"]


class Clock:
    def __init__(self) -> None:
        self.wall = 1_700_000_000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return trio.current_time()


@pytest.mark.parametrize(("method", "scope"), CELLS, ids=lambda x: getattr(x, "name", x))
async def test_every_method_with_every_scope(tmp_path, method, scope):
    """A result or `forbidden`, nothing in between."""
    begins = method.name == "session.initialize"
    with trio.fail_after(10):
        async with (
            open_rpc(tmp_path) as rpc,
            trio.open_nursery() as nursery,
            rpc.connect(initialize=not begins, scope=scope) as client,
        ):
            if method.scope in INCLUDES[scope]:
                params = await prepare(rpc, client, method.name, nursery)
                answer = await client.answered(method.name, **params)
                assert "result" in answer
            else:
                before = len(rpc.peer.confirmations.list("default"))
                answer = await client.call(
                    method.name, **MINIMAL.get(method.name, {"id": "x", "allow": True})
                )
                assert slug(answer) == "forbidden"
                assert len(rpc.peer.confirmations.list("default")) == before == 0, "nobody is even asked"
                assert rpc.peer.default.sent == []
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
async def test_before_initialize_only_what_is_bare(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            answer = await client.call(method.name, **MINIMAL.get(method.name, {}))
            if method.bare:
                assert "result" in answer
            else:
                assert slug(answer) == "not_initialized"


def test_each_confirmed_method_says_what_it_will_do():
    assert set(SUMMARIES) == {method.name for method in METHODS if method.confirm}
    assert all(method.scope is Scope.FULL for method in METHODS if method.confirm)


async def test_without_a_token_a_connection_has_chat(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            answer = await client.call("session.initialize", **INITIALIZE)
            assert answer["result"]["scope"] == "chat"


@pytest.mark.parametrize("token", ["", "full", "kezt_", "kezt_" + "A" * 43, "\x00", "é" * 100])
async def test_a_wrong_token_gives_nothing_at_all(tmp_path, token):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            assert slug(await client.call("session.initialize", **INITIALIZE, token=token)) == "forbidden"
            assert slug(await client.call("chat.send", to="@bob", text="x")) == "not_initialized"


async def test_a_token_for_other_profiles(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as owner:
            refused = await owner.call("tokens.create", name="x", scope="chat", profiles=["work"])
            assert slug(refused) == "unknown_profile"
            full = await owner.answered("tokens.create", name="x", scope="full", profiles=["default"])
            assert slug(full) == "invalid_argument"
            made = await rpc.peer.tokens.create("work only", Scope.CHAT, None, ["work"])
            async with rpc.connect(initialize=False) as client:
                answer = await client.call("session.initialize", **INITIALIZE, token=made.token)
                assert slug(answer) == "forbidden"


async def test_revoking_ends_connections_at_once(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as owner:
            secret = (await owner.call("tokens.create", name="bot", scope="chat"))["result"]["token"]
            async with rpc.connect(token=secret) as bot:
                await bot.call("events.subscribe", topics=["message"])
                assert "result" in await owner.call("tokens.revoke", name="bot")
                rpc.peer.log.append("message", {"secret": True})
                with suppress(EOFError):
                    while (await bot.receive()).get("method") != "event":
                        pass
                    pytest.fail("an event came after the token was revoked")
            async with rpc.connect(initialize=False) as again:
                answer = await again.call("session.initialize", **INITIALIZE, token=secret)
                assert slug(answer) == "forbidden"


async def test_a_call_under_way_while_its_token_is_revoked(tmp_path):
    """It ends one way or the other, and nothing of that connection runs after it."""
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as owner:
            secret = (await owner.call("tokens.create", name="bot", scope="chat"))["result"]["token"]
            async with rpc.connect(token=secret) as bot:
                await bot.begin("chat.send", to="@bob", text="wait")
                while not rpc.peer.default.waiting:
                    await trio.sleep(0.001)
                await owner.call("tokens.revoke", name="bot")
                with suppress(trio.BrokenResourceError):
                    await bot.begin("chat.send", to="@bob", text="after")
                rpc.peer.default.gate.set()
                answers = []
                with suppress(EOFError):
                    while True:
                        answers.append(await bot.receive())
            assert rpc.peer.default.sent in ([], ["wait"])
            assert all("result" in a or slug(a) == "forbidden" for a in answers)


async def test_a_token_expires_while_it_is_used(tmp_path):
    clock = Clock()
    with trio.fail_after(10):
        async with open_rpc(tmp_path, clock=clock) as rpc, rpc.connect() as owner:
            made = await owner.call("tokens.create", name="bot", scope="chat", expires_in_s=3600)
            secret = made["result"]["token"]
            assert made["result"]["item"]["expires_at"] == (1_700_000_000 + 3600) * 1000
            async with rpc.connect(token=secret) as bot:
                assert "result" in await bot.call("chat.send", to="@bob", text="x")
                clock.wall += 3600
                answer = await bot.call("chat.send", to="@bob", text="late")
                assert slug(answer) == "forbidden"
                assert answer["error"]["data"]["hint"]
            assert rpc.peer.default.sent == ["x"]
            assert (await owner.call("tokens.list"))["result"]["items"][0]["expired"]
            async with rpc.connect(initialize=False) as again:
                answer = await again.call("session.initialize", **INITIALIZE, token=secret)
                assert slug(answer) == "forbidden"
                assert "expired" in answer["error"]["message"]


async def test_the_topic_of_confirmations_is_for_full(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(scope=Scope.CHAT) as client:
            answer = await client.call("events.subscribe", topics=["message", "confirmation"])
            assert slug(answer) == "forbidden"


async def test_the_audit_log_has_every_call_that_matters(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(scope=Scope.CHAT) as client:
            await client.call("chat.send", to="@bob", text="x")
            await client.call("chat.send", to="@bob", text="x", dry_run=True)
            await client.call("chat.send", to="@bob", text="unknown")
            await client.call("contacts.block", contact="@bob")
            await client.call("contacts.list")
            await client.call("identity.words")
            rows = [(r.entry.method, r.entry.scope, r.outcome) for r in rpc.peer.default.audit.rows]
            assert rows == [
                ("chat.send", "chat", "ok"),
                ("chat.send", "chat", "not_a_contact"),
                ("contacts.block", "chat", "ok"),
                ("identity.words", "chat", "forbidden"),
            ]
            entry = rpc.peer.default.audit.rows[0].entry
            assert (entry.client, entry.pid > 0, entry.token) == ("test", True, None)
            assert "python" in entry.executable
