"""The real server on a real socket: every call one answer, whatever else happens on the line."""

import json

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezd.api.methods import API_VERSION, METHODS
from kezd.api.types import Mutation
from kezd.errors import TABLE, Slug
from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.ports import ProfileState
from kezd.runtime.settings import RpcSettings
from kezd.testing.memory_peer import PRIMARY
from kezd.testing.minimal_calls import MINIMAL, prepare
from kezd.testing.rpc_driver import INITIALIZE, open_rpc


def test_every_method_has_a_handler_and_no_handler_is_left_over():
    assert set(HANDLERS) == {method.name for method in METHODS}


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
async def test_each_method_answers_its_result_type(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, trio.open_nursery() as nursery:
            begins = method.name == "session.initialize"
            async with rpc.connect(initialize=not begins) as client:
                params = await prepare(rpc, client, method.name, nursery)
                answer = await client.answered(method.name, **params)
                nursery.cancel_scope.cancel()
            msgspec.convert(answer["result"], method.result)


@pytest.mark.parametrize("method", [m for m in METHODS if not m.bare], ids=lambda m: m.name)
async def test_initialize_comes_first(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            answer = await client.call(method.name, **MINIMAL.get(method.name, {}))
            assert answer["error"]["data"]["slug"] == "not_initialized"


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
async def test_unknown_parameters_are_refused_by_name(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            answer = await client.call(method.name, **MINIMAL.get(method.name, {}), surprise=1)
            assert answer["error"]["data"]["slug"] == "invalid_argument"
            assert answer["error"]["data"]["field"] == "surprise"


async def test_initialize(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            result = (await client.call("session.initialize", **INITIALIZE))["result"]
            assert (result["api"], result["state"], result["scope"], result["epoch"]) == (
                API_VERSION,
                "open",
                "chat",
                "e1",
            )
            again = await client.call("session.initialize", **INITIALIZE)
            assert again["error"]["data"]["slug"] == "invalid_argument"


@pytest.mark.parametrize(
    ("params", "slug"),
    [
        ({**INITIALIZE, "api": {"min": 2, "max": 9}}, "unsupported_api"),
        ({**INITIALIZE, "api": {"min": 0, "max": 0}}, "unsupported_api"),
        ({**INITIALIZE, "profile": "other"}, "unknown_profile"),
        ({"client": {}}, "invalid_argument"),
    ],
)
async def test_initialize_refused(tmp_path, params, slug):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            assert (await client.call("session.initialize", **params))["error"]["data"]["slug"] == slug
            assert "result" in await client.call("daemon.version")


async def test_locked_and_empty_profiles_still_answer(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            rpc.peer.default.state = ProfileState.LOCKED
            async with rpc.connect(initialize=False) as client:
                result = (await client.call("session.initialize", **INITIALIZE, token=rpc.full))["result"]
                assert (result["state"], result["epoch"]) == ("locked", None)
                assert (await client.call("identity.show"))["error"]["data"]["slug"] == "locked"
                wrong = await client.call("session.unlock", passphrase="wrong")
                assert wrong["error"]["data"]["slug"] == "wrong_passphrase"
                assert (await client.call("session.unlock"))["result"] == {"state": "open"}
                rpc.peer.default.state = ProfileState.EMPTY
                assert (await client.call("identity.show"))["result"]["state"] == "none"
                assert (await client.call("contacts.list"))["error"]["data"]["slug"] == "no_identity"


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("chat.send", {"to": "@bob"}, "text"),
        ("chat.send", {"to": "@bob", "text": 1}, "text"),
        ("chat.history", {"contact": "@bob", "limit": 0}, "limit"),
        ("contacts.list", {"limit": -1}, "limit"),
        ("contacts.decide", {"contact": "x", "decision": "maybe"}, "decision"),
        ("identity.confirm", {"answers": {"one": "zoo"}}, "answers"),
        ("identity.create", {"words": 13}, "words"),
        ("events.subscribe", {"topics": ["x"]}, "topics"),
        ("events.subscribe", {"topics": []}, "topics"),
        ("events.subscribe", {"topics": ["message"], "since": {"epoch": "e", "seq": "1"}}, "since.seq"),
        ("events.subscribe", {"topics": ["message"], "since": {"epoch": "e"}}, "since.seq"),
        ("chat.send", {"to": "a", "text": "b", "idempotency_key": ""}, "idempotency_key"),
        ("chat.send", {"to": "a", "text": "b", "idempotency_key": "x" * 129}, "idempotency_key"),
    ],
)
async def test_the_error_names_the_field(tmp_path, method, params, field):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            error = (await client.call(method, **params))["error"]
            assert error["code"] == 1000
            assert error["data"]["slug"] == "invalid_argument"
            assert error["data"]["field"] == field
            assert field.rpartition(".")[2] in error["message"]


async def test_errors_have_the_whole_contract(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            error = (await client.call("chat.send", to="@eve", text="unknown"))["error"]
            row = TABLE[Slug.NOT_A_CONTACT]
            assert error == {
                "code": row.family.value,
                "message": row.text,
                "data": {
                    "slug": "not_a_contact",
                    "retryable": row.retryable,
                    "hint": row.hint,
                    "contact": "@eve",
                },
            }


@pytest.mark.expects_error("a call failed by a bug")
async def test_a_bug_is_answered_with_an_incident_that_the_log_has(tmp_path, caplog):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            error = (await client.call("chat.send", to="@bob", text="bug"))["error"]
            assert (error["code"], error["data"]["slug"]) == (1500, "internal")
            (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
            assert record.incident == error["data"]["incident"]
            assert record.exc_info[0] is ZeroDivisionError
            assert "result" in await client.call("daemon.health")


async def test_errors_of_the_table_are_not_logged_as_bugs(tmp_path, caplog):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            await client.call("chat.send", to="@eve", text="unknown")
    assert not [r for r in caplog.records if r.levelno >= 30]


async def test_unknown_methods(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            error = (await client.call("chat.frobnicate"))["error"]
            assert (error["code"], error["data"]["slug"]) == (-32601, "invalid_argument")
            await client.send(b'{"jsonrpc":"2.0","method":"chat.frobnicate"}\n')
            assert "result" in await client.call("daemon.version")


async def test_calls_run_at_the_same_time_and_answer_in_any_order(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            waiting = [await client.begin("chat.send", to="@bob", text="wait") for _ in range(5)]
            quick = await client.call("daemon.version")
            assert quick["id"] not in waiting
            rpc.peer.default.gate.set()
            assert {(await client.receive())["id"] for _ in waiting} == set(waiting)


async def test_no_more_calls_at_once_than_allowed_and_none_lost(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path, limits=RpcSettings(calls_in_flight=4)) as rpc, rpc.connect() as client:
            ids = [await client.begin("chat.send", to="@bob", text="wait") for _ in range(20)]
            async with rpc.connect() as other:
                assert "result" in await other.call("daemon.version")
            assert rpc.peer.default.waiting == 4
            rpc.peer.default.gate.set()
            assert {(await client.receive())["id"] for _ in ids} == set(ids)
            assert rpc.peer.default.most_waiting == 4


async def test_notifications_run_and_get_no_answer(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            params = {"to": "@bob", "text": "quiet"}
            await client.send(
                json.dumps({"jsonrpc": "2.0", "method": "chat.send", "params": params}).encode() + b"\n"
            )
            assert (await client.call("daemon.version"))["id"] == 2
            assert rpc.peer.default.sent == ["quiet"]


# --- batches ---------------------------------------------------------------


def request(call_id, method="daemon.version", **params):
    return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}


async def test_batches_as_the_standard_says(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            notification = {"jsonrpc": "2.0", "method": "daemon.version"}
            batch = [request(10), notification, 7, request(11, "no.such"), request("x", "daemon.health")]
            answers = await client.ask(json.dumps(batch).encode())
            assert [a["id"] for a in answers] == [10, None, 11, "x"]
            assert [a.get("error", {}).get("code") for a in answers] == [None, -32600, -32601, None]
            empty = await client.ask(b"[]")
            assert (empty["error"]["code"], empty["id"]) == (-32600, None)
            await client.send(json.dumps([notification, notification]).encode() + b"\n")
            assert (await client.call("daemon.version"))["id"] == 2


async def test_the_largest_batch_passes_even_with_fewer_slots_and_one_more_is_refused(tmp_path):
    with trio.fail_after(20):
        limits = RpcSettings(calls_in_flight=3)
        async with open_rpc(tmp_path, limits=limits) as rpc, rpc.connect() as client:
            batch = [request(n, "chat.send", to="@bob", text="wait") for n in range(100)]
            await client.send(json.dumps(batch).encode() + b"\n")
            await client.send(json.dumps(batch).encode() + b"\n")
            rpc.peer.default.gate.set()
            for _ in range(2):
                assert [a["id"] for a in await client.receive()] == list(range(100))
            assert rpc.peer.default.most_waiting == 3
            over = await client.ask(json.dumps([*batch, request(100)]).encode())
            assert over["error"]["code"] == -32600


# --- hostile bytes -----------------------------------------------------------


async def test_garbage_is_answered_and_the_line_lives_on(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for garbage in (b"\x00\xff", b"{", b"GET / HTTP/1.1", b'{"a":1,"a":2}', b"[[[[", b"nul"):
                answer = await client.ask(garbage)
                assert (answer["error"]["code"], answer["id"]) == (-32700, None)
            assert "result" in await client.call("daemon.version")


async def test_a_line_over_the_limit_is_answered_and_ends_the_connection(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path, limits=RpcSettings(line_bytes=1024)) as rpc:
            async with rpc.connect() as client:
                answer = await client.ask(b"x" * 5000)
                assert answer["error"]["data"]["slug"] == "too_large"
                with pytest.raises(EOFError):
                    await client.receive()
            async with rpc.connect() as client:
                assert "result" in await client.call("daemon.version")


async def test_an_endless_line_is_cut_off(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            with pytest.raises(trio.BrokenResourceError):
                await client.send(b"x" * 16_000_000)


@given(data=st.lists(st.binary(max_size=60), max_size=15))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_leave_the_server_standing(tmp_path, data):
    async def attack() -> None:
        with trio.fail_after(20):
            async with open_rpc(tmp_path) as rpc:
                async with rpc.connect(initialize=False) as client:
                    try:
                        for piece in data:
                            await client.send(piece)
                        await client.stream.send_eof()
                        while await client.stream.receive_some(65536):
                            continue
                    except trio.BrokenResourceError:
                        return
                async with rpc.connect() as client:
                    assert "result" in await client.call("daemon.version")

    trio.run(attack)


async def test_content_length_framing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            body = json.dumps(request(1)).encode()
            await client.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            received = b""
            while b"}" not in received[-1:]:
                received += await client.stream.receive_some(65536)
            head, _, answer = received.partition(b"\r\n\r\n")
            assert head == b"Content-Length: %d" % len(answer)
            assert json.loads(answer)["id"] == 1


async def test_half_closed_clients_get_their_answers(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            call_id = await client.begin("chat.send", to="@bob", text="wait")
            await client.stream.send_eof()
            rpc.peer.default.gate.set()
            assert (await client.receive())["id"] == call_id
            with pytest.raises(EOFError):
                await client.receive()


async def test_a_call_is_finished_although_its_client_went(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with rpc.connect() as client:
                await client.begin("chat.send", to="@bob", text="wait here")
                async with rpc.connect() as other:
                    await other.call("daemon.version")
            rpc.peer.default.gate.set()
            while not rpc.peer.default.sent:
                await trio.lowlevel.checkpoint()
            assert rpc.peer.default.sent == ["wait here"]


async def test_a_client_that_stops_reading_is_left_and_slows_nobody(tmp_path):
    with trio.fail_after(20):
        async with (
            open_rpc(tmp_path, write_timeout=0.5) as rpc,
            rpc.connect() as lazy,
            rpc.connect() as other,
        ):
            with trio.move_on_after(0.2):
                while True:
                    await lazy.begin("chat.history", contact="long", limit=100)
            for _ in range(50):
                assert "result" in await other.call("daemon.version")
            while rpc.server.connections > 1:
                await trio.sleep(0.01)
            with pytest.raises(trio.BrokenResourceError):
                await lazy.begin("daemon.version")
            assert "result" in await other.call("daemon.version")


async def test_connections_are_counted(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path, limits=RpcSettings(connections=2)) as rpc:
            async with rpc.connect(), rpc.connect(), rpc.connect(initialize=False) as third:
                answer = await third.receive()
                assert answer["error"]["data"]["slug"] == "busy"
                assert answer["error"]["data"]["retryable"]
                with pytest.raises(EOFError):
                    await third.receive()
            while rpc.server.connections:
                await trio.sleep(0.01)
            async with rpc.connect() as again:
                assert "result" in await again.call("daemon.version")


# --- idempotency, dry run, shutdown --------------------------------------------


@pytest.mark.parametrize(
    "method", [m for m in METHODS if issubclass(m.params, Mutation)], ids=lambda m: m.name
)
async def test_every_mutation_takes_a_key(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            async with trio.open_nursery() as nursery:
                params = await prepare(rpc, client, method.name, nursery)
                answer = await client.answered(method.name, **params, idempotency_key="k")
                nursery.cancel_scope.cancel()
            assert "result" in answer


async def test_a_key_makes_one_call_of_two(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            first = await client.call("contacts.add", handle="@bob", idempotency_key="k")
            second = await client.call("contacts.add", handle="@bob", idempotency_key="k")
            assert first["result"] == second["result"]
            assert rpc.peer.default.sent == ["@bob"]
            other = await client.call("contacts.add", handle="@eve", idempotency_key="k")
            assert other["error"]["data"]["slug"] == "idempotency_conflict"
            elsewhere = await client.call("contacts.block", contact="@bob", idempotency_key="k")
            assert elsewhere["error"]["data"]["slug"] == "idempotency_conflict"


async def test_secrets_are_not_hashed_into_the_key_store(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            for passphrase in ("one", "two"):
                answer = await client.call(
                    "identity.restore", words=passphrase, passphrase=passphrase, idempotency_key="k"
                )
                assert "result" in answer


@pytest.mark.parametrize("method", [m for m in METHODS if m.mutates], ids=lambda m: m.name)
async def test_a_dry_run_is_tried_or_refused_by_name(tmp_path, method):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            answer = await client.answered(method.name, **MINIMAL.get(method.name, {}), dry_run=True)
            if not method.dry_run and "error" in answer:
                assert answer["error"]["data"]["slug"] in {"invalid_argument", "forbidden"}
            assert rpc.peer.default.sent == []


async def test_a_dry_run_changes_nothing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            await client.call("chat.send", to="@bob", text="x", dry_run=True, idempotency_key="k")
            assert rpc.peer.default.sent == []
            blocked = await client.call("contacts.block", contact="@bob", dry_run=True)
            assert blocked["result"]["genesis"] == PRIMARY


async def test_pages_are_capped(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            page = await client.call("chat.history", contact="@bob", limit=100_000)
            assert len(page["result"]["items"]) == 200


async def test_shutdown_answers_and_asks(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            assert (await client.call("daemon.shutdown"))["result"] == {"ok": True}
            assert rpc.peer.stopped.is_set()


async def test_stopping_tells_clients_and_finishes_their_calls(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            stream = await trio.open_unix_socket(str(rpc.path))
            stream_client = rpc.connect()
            client = await stream_client.__aenter__()
            call_id = await client.begin("chat.send", to="@bob", text="wait")
            async with rpc.connect() as other:
                await other.call("daemon.version")
            rpc.peer.default.gate.set()
        received = [await client.receive() for _ in range(2)]
        assert {m.get("method") for m in received} == {"daemon.stopping", None}
        assert call_id in {m.get("id") for m in received}
        with pytest.raises(EOFError):
            await client.receive()
        await stream_client.__aexit__(None, None, None)
        await stream.aclose()
        assert not rpc.path.exists()
