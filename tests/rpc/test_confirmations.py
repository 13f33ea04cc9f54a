"""Calls that wait for a person's yes: who may give it, and everything that is a no."""

import array
import json
import socket

import pytest
import trio
import trio.testing

from kezd.api.methods import METHODS, Scope
from kezd.rpc.ports import ProfileState
from kezd.testing.minimal_calls import MINIMAL
from kezd.testing.rpc_driver import open_rpc

CONFIRMED = [method for method in METHODS if method.confirm]


def slug(answer):
    return answer["error"]["data"]["slug"]


async def asked(client):
    message = await client.receive()
    assert message["method"] == "confirmation.needed"
    return message["params"]["confirmation"]


async def test_another_full_front_end_says_yes(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller, rpc.connect() as front:
            await front.call("events.subscribe", topics=["confirmation"])
            await caller.begin("identity.words")
            question = await asked(caller)
            event = (await front.receive())["params"]["event"]
            assert (event["type"], event["confirmation"]) == ("asked", question)
            assert "recovery words" in question["summary"]
            assert (question["client"], question["method"]) == ("test", "identity.words")
            assert (await front.call("confirmations.list"))["result"]["items"] == [question]
            assert "result" in await front.call("confirmations.answer", id=question["id"], allow=True)
            assert (await caller.receive())["result"]["words"]
            settled = (await front.receive())["params"]["event"]
            assert (settled["type"], settled["outcome"]) == ("settled", "allowed")
            again = await front.call("confirmations.answer", id=question["id"], allow=True)
            assert slug(again) == "not_found"
            rows = {r.entry.method: r for r in rpc.peer.default.audit.rows if r.outcome == "ok"}
            assert rows["identity.words"].confirmed_by.startswith("test (pid ")
            assert "confirmations.answer" in rows


async def test_no_is_no(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            call = await caller.begin("identity.words")
            question = await asked(caller)
            await caller.begin("confirmations.answer", id=question["id"], allow=False)
            answers = {m["id"]: m for m in [await caller.receive(), await caller.receive()]}
            assert slug(answers[call]) == "confirmation_refused"
            [row] = [r for r in rpc.peer.default.audit.rows if r.entry.method == "identity.words"]
            assert row.outcome == "confirmation_refused"


async def test_nobody_answers(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path, confirm_s=0.05) as rpc, rpc.connect() as caller:
            await caller.begin("identity.words")
            await asked(caller)
            assert slug(await caller.receive()) == "confirmation_refused"
            assert rpc.peer.confirmations.list("default") == []


async def test_the_caller_goes_away(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as front:
            await front.call("events.subscribe", topics=["confirmation"])
            async with rpc.connect() as caller:
                await caller.begin("identity.words")
                question = await asked(caller)
                await front.receive()
            settled = (await front.receive())["params"]["event"]
            assert settled["outcome"] == "gone"
            assert (
                slug(await front.call("confirmations.answer", id=question["id"], allow=True)) == "not_found"
            )
            await trio.testing.wait_all_tasks_blocked(0.01)
            [row] = [r for r in rpc.peer.default.audit.rows if r.entry.method == "identity.words"]
            assert row.outcome == "confirmation_refused"


async def test_the_daemon_stops(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller, trio.open_nursery() as nursery:
            await caller.begin("identity.words")
            await asked(caller)
            nursery.start_soon(rpc.server.drain, 2)
            assert (await caller.receive())["method"] == "daemon.stopping"
            assert slug(await caller.receive()) == "confirmation_refused"


async def test_a_call_that_is_cancelled_is_asked_no_more(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            call = await caller.begin("identity.words")
            await asked(caller)
            await caller.begin("rpc.cancel", id=call)
            answers = [await caller.receive(), await caller.receive()]
            assert "cancelled" in [slug(a) for a in answers if "error" in a]
            assert rpc.peer.confirmations.list("default") == []


async def test_eight_wait_at_most(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            for _ in range(8):
                await caller.begin("identity.words")
                await asked(caller)
            answer = await caller.call("identity.words")
            assert (slug(answer), answer["error"]["data"]["retryable"]) == ("busy", True)


@pytest.mark.parametrize("scope", [Scope.CHAT, Scope.READ], ids=lambda s: s.value)
@pytest.mark.parametrize("method", CONFIRMED, ids=lambda m: m.name)
async def test_below_full_nothing_is_signed_and_nothing_answered(tmp_path, method, scope):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as owner, rpc.connect(scope=scope) as client:
            assert slug(await client.call(method.name, **MINIMAL.get(method.name, {}))) == "forbidden"
            await owner.begin("identity.words")
            question = await asked(owner)
            assert slug(await client.call("confirmations.list")) == "forbidden"
            answer = await client.call("confirmations.answer", id=question["id"], allow=True)
            assert slug(answer) == "forbidden"
            assert len(rpc.peer.confirmations.list("default")) == 1


async def test_what_would_fail_is_not_asked(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            rpc.peer.default.state = ProfileState.LOCKED
            assert slug(await caller.call("identity.words")) == "locked"


async def test_only_a_full_token_and_a_takeover_need_a_yes(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            assert "result" in await caller.call("tokens.create", name="a", scope="chat")
            assert "result" in await caller.call("identity.restore", words="zoo " * 24)
            await caller.begin("identity.restore")
            assert "Sign in" in (await asked(caller))["summary"]
            await caller.begin("tokens.create", name="b", scope="full")
            assert "everything" in (await asked(caller))["summary"]


async def test_a_backup_says_where_it_goes_also_into_a_file_that_the_caller_opened(tmp_path):
    target = tmp_path / "opened by the caller"
    params = {"file": {"fd": 0}, "passphrase": "five or six words"}
    call = {"jsonrpc": "2.0", "id": 5, "method": "backup.create", "params": params}
    with trio.fail_after(10), target.open("wb") as file:
        async with open_rpc(tmp_path) as rpc, rpc.connect() as caller:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))]
            await caller.stream.socket.sendmsg([json.dumps(call).encode() + b"\n"], rights)
            question = await asked(caller)
            assert str(target) in question["summary"]
            await caller.begin("confirmations.answer", id=question["id"], allow=False)
            answers = {m["id"]: m for m in [await caller.receive(), await caller.receive()]}
            assert slug(answers[5]) == "confirmation_refused"
            for params in ({}, {"path": "/x", "file": {"fd": 0}}, {"file": {"fd": 0}}):
                answer = await caller.call("backup.create", passphrase="five or six words", **params)
                assert slug(answer) == "invalid_argument", "nobody is asked in vain"
