"""Cancelling: what waits is stopped and says so, what is being done is done, and nobody else notices."""

import json

import pytest
import trio

from kezd.runtime.settings import RpcSettings
from kezd.testing.rpc_driver import RawClient, open_rpc


async def _cancelled(client: RawClient, call_id: object) -> bool:
    await client.begin("rpc.cancel", id=call_id)
    answers = {}
    for _ in range(2):
        answer = await client.receive()
        answers["error" in answer] = answer
    assert answers[True]["id"] == call_id
    assert answers[True]["error"]["data"]["slug"] == "cancelled"
    return answers[False]["result"]["found"]


async def test_a_waiting_call_is_stopped(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            call_id = await client.begin("chat.send", to="@bob", text="wait")
            assert await _cancelled(client, call_id)
            assert rpc.peer.default.waiting == 0
            assert rpc.peer.default.sent == []
            assert (await client.call("rpc.cancel", id=call_id))["result"] == {"found": False}
            assert "result" in await client.call("daemon.version")


@pytest.mark.parametrize("call_id", ["text", 7, 1.5, ""])
async def test_ids_of_each_kind(tmp_path, call_id):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            request = {"jsonrpc": "2.0", "id": call_id, "method": "chat.send"}
            request["params"] = {"to": "@bob", "text": "wait"}
            await client.send(json.dumps(request).encode() + b"\n")
            assert await _cancelled(client, call_id)


async def test_only_calls_of_the_same_connection(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as one, rpc.connect() as other:
            call_id = await one.begin("chat.send", to="@bob", text="wait")
            while not rpc.peer.default.waiting:
                await trio.lowlevel.checkpoint()
            assert (await other.call("rpc.cancel", id=call_id))["result"] == {"found": False}
            rpc.peer.default.gate.set()
            assert "result" in await one.receive()


async def test_cancelling_needs_no_free_slot_and_frees_one(tmp_path):
    with trio.fail_after(10):
        limits = RpcSettings(calls_in_flight=2)
        async with open_rpc(tmp_path, limits=limits) as rpc, rpc.connect() as client:
            first = await client.begin("chat.send", to="@bob", text="wait")
            await client.begin("chat.send", to="@bob", text="wait")
            assert await _cancelled(client, first)
            assert "result" in await client.call("daemon.version")


async def test_members_of_a_batch(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            members = [
                {"jsonrpc": "2.0", "id": n, "method": "chat.send", "params": {"to": "b", "text": "wait"}}
                for n in ("a", "b")
            ]
            await client.send(json.dumps(members).encode() + b"\n")
            while rpc.peer.default.waiting < 2:
                await trio.lowlevel.checkpoint()
            assert (await client.call("rpc.cancel", id="a"))["result"] == {"found": True}
            rpc.peer.default.gate.set()
            stopped, done = await client.receive()
            assert (stopped["id"], stopped["error"]["data"]["slug"]) == ("a", "cancelled")
            assert (done["id"], "result" in done) == ("b", True)


async def test_a_batch_may_cancel_its_own_members(tmp_path):
    with trio.fail_after(10):
        limits = RpcSettings(calls_in_flight=1)
        async with open_rpc(tmp_path, limits=limits) as rpc, rpc.connect() as client:
            call = {"jsonrpc": "2.0", "method": "chat.send", "params": {"to": "b", "text": "wait"}}
            cancels = [
                {"jsonrpc": "2.0", "id": f"stop {n}", "method": "rpc.cancel", "params": {"id": n}}
                for n in range(3)
            ]
            blocker = await client.begin("chat.send", to="b", text="wait")
            while not rpc.peer.default.waiting:
                await trio.lowlevel.checkpoint()
            batch = [*({**call, "id": n} for n in range(10, 13)), *cancels]
            await client.send(json.dumps(batch).encode() + b"\n")
            await client.begin("rpc.cancel", id=blocker)
            rpc.peer.default.gate.set()
            seen = [await client.receive() for _ in range(3)]
            (answers,) = [one for one in seen if isinstance(one, list)]
            assert [one["id"] for one in answers] == [10, 11, 12, "stop 0", "stop 1", "stop 2"]


async def test_a_method_that_cannot_stop_half_way_is_found_and_answers(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            rpc.peer.default.unlocking = trio.Event()
            call_id = await client.begin("session.unlock")
            assert (await client.call("rpc.cancel", id=call_id))["result"] == {"found": True}
            rpc.peer.default.unlocking.set()
            answer = await client.receive()
            assert (answer["id"], answer["result"]) == (call_id, {"state": "open"})


async def test_what_was_committed_is_remembered_although_the_call_is_cancelled(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            profile = rpc.peer.default
            profile.remembering = trio.Event()
            call_id = await client.begin("contacts.add", handle="@bob", idempotency_key="k")
            while not profile.sent:
                await trio.lowlevel.checkpoint()
            assert (await client.call("rpc.cancel", id=call_id))["result"] == {"found": True}
            profile.remembering.set()
            first = await client.receive()
            again = await client.call("contacts.add", handle="@bob", idempotency_key="k")
            assert first["result"] == again["result"]
            assert profile.sent == ["@bob"]


async def test_a_call_of_many_tasks_that_fails_while_it_is_cancelled(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            call_id = await client.begin("chat.send", to="@bob", text="wait and fall apart")
            assert await _cancelled(client, call_id)
            assert "result" in await client.call("daemon.version")


async def test_calls_go_on_without_their_client(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with rpc.connect() as client:
                await client.begin("chat.send", to="@bob", text="wait on")
                while not rpc.peer.default.waiting:
                    await trio.lowlevel.checkpoint()
            rpc.peer.default.gate.set()
            while not rpc.peer.default.sent:
                await trio.lowlevel.checkpoint()


async def test_through_content_length_framing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:

            async def send(value: object) -> None:
                body = json.dumps(value).encode()
                await client.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

            async def receive() -> object:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += await client.stream.receive_some(1)
                length = int(data.split(b":")[1])
                body = b""
                while len(body) < length:
                    body += await client.stream.receive_some(length - len(body))
                return json.loads(body)

            def call(call_id: object, method: str, **params: object) -> dict[str, object]:
                return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}

            await send(call(1, "session.initialize", client={"name": "lsp"}))
            assert "result" in await receive()
            await send({"jsonrpc": "2.0", "method": "chat.send", "params": {"to": "b", "text": "quiet"}})
            await send([call(2, "daemon.version"), call(3, "chat.send", to="b", text="wait")])
            await send(call(4, "chat.send", to="b", text="wait"))
            await send(call(5, "rpc.cancel", id=4))
            answers = {}
            for _ in range(2):
                answer = await receive()
                answers[answer["id"]] = answer
            assert answers[4]["error"]["data"]["slug"] == "cancelled"
            assert answers[5]["result"] == {"found": True}
            rpc.peer.default.gate.set()
            assert [answer["id"] for answer in await receive()] == [2, 3]
            assert rpc.peer.default.sent == ["quiet", "wait"]
