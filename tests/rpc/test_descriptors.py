"""Descriptors that come with a line: handed to one call, or closed; never kept, never leaked."""

import array
import json
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from kezd.client.sync import Client
from kezd.client.trio_client import open_client
from kezd.errors import RequestError, Slug
from kezd.rpc.descriptors import PER_CONNECTION, PER_MESSAGE
from kezd.testing.rpc_driver import RawClient, Rpc, open_rpc


def open_descriptors() -> int:
    """Of this process, which is the server's."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def files(*texts: str | bytes) -> Iterator[list[int]]:
    with ExitStack() as stack:
        found = []
        for text in texts:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(text if isinstance(text, bytes) else text.encode())
            file.seek(0)
            found.append(file.fileno())
        yield found


async def send_with(client: RawClient, data: bytes, descriptors: Sequence[int]) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sent = await client.stream.socket.sendmsg([data], rights)
    await client.send(data[sent:])


def request(call_id: int, fd: int = 0, **params: object) -> dict[str, object]:
    params = {"to": "@bob", "text_from": {"fd": fd}, **params}
    return {"jsonrpc": "2.0", "id": call_id, "method": "chat.send", "params": params}


def line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


async def settled(rpc: Rpc, expected: int) -> None:
    """Every connection gone, and as many descriptors open as before."""
    while rpc.server.connections or open_descriptors() > expected:
        await trio.sleep(0.001)


async def test_text_from_a_file_and_from_a_pipe(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            with files("grüße") as fds:
                await send_with(client, line(request(5)), fds)
                assert (await client.receive())["result"]["message"]["text"] == "grüße"
            read, write = os.pipe()
            await send_with(client, line(request(6)), [read])
            os.close(read)
            for piece in (b"slow", b"ly"):
                os.write(write, piece)
                assert "result" in await client.call("daemon.version")
            os.close(write)
            assert (await client.receive())["result"]["message"]["text"] == "slowly"
            assert open_descriptors() == before
            assert rpc.peer.default.sent == ["grüße", "slowly"]


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"x" * 32 * 1024, None),
        (b"x" * (32 * 1024 + 1), "too_large"),
        (b"\xff\xfe", "invalid_argument"),
        ("ü".encode()[:1], "invalid_argument"),
    ],
)
async def test_the_text_is_checked(tmp_path, content, slug):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            with files(content) as fds:
                await send_with(client, line(request(5)), fds)
                answer = await client.receive()
            assert answer.get("error", {"data": {"slug": None}})["data"]["slug"] == slug
            assert open_descriptors() == before


async def test_what_is_neither_file_nor_pipe(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            ours, theirs = socket.socketpair()
            with ours, theirs:
                for odd in (ours.fileno(), os.open("/dev/zero", os.O_RDONLY), os.open("/", os.O_RDONLY)):
                    await send_with(client, line(request(5)), [odd])
                    assert (await client.receive())["error"]["data"]["field"] == "text_from"
                    if odd != ours.fileno():
                        os.close(odd)
            write_only = os.open(tmp_path / "w", os.O_WRONLY | os.O_CREAT)
            await send_with(client, line(request(5)), [write_only])
            os.close(write_only)
            assert (await client.receive())["error"]["data"]["slug"] == "invalid_argument"
            assert open_descriptors() == before


@pytest.mark.parametrize("params", [{}, {"text": "x", "text_from": {"fd": 0}}])
async def test_one_source_of_text(tmp_path, params):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            answer = await client.call("chat.send", to="@bob", **params)
            assert answer["error"]["data"]["field"] == "text"


async def test_missing_and_taken_descriptors(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            none = await client.ask(line(request(5))[:-1])
            assert none["error"]["data"]["field"] == "fd"
            for bad in (-1, 16):
                answer = await client.ask(line(request(5, fd=bad))[:-1])
                assert answer["error"]["data"]["field"] == "text_from.fd"
            before = open_descriptors()
            with files("a") as fds:
                await send_with(client, line(request(5, fd=1)), fds)
                assert (await client.receive())["error"]["data"]["slug"] == "invalid_argument"
                await send_with(client, line([request(1), request(2)]), fds)
                answers = await client.receive()
            assert sorted("result" in answer for answer in answers) == [False, True]
            assert open_descriptors() == before


async def test_each_line_has_its_own_however_the_bytes_are_cut(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            padding = line({"jsonrpc": "2.0", "id": 0, "method": "daemon.version"})
            with files("one", "two", "three") as fds:
                await client.send(padding * 20 + b"\n \n")
                first = line(request(1))
                await send_with(client, first[:10], fds[:1])
                await client.send(first[10:] + padding * 3)
                await send_with(client, line(request(2)), fds[1:2])
                await send_with(client, line(request(3)), fds[2:])
                answers = [await client.receive() for _ in range(26)]
            found = {a["id"]: a["result"]["message"]["text"] for a in answers if a["id"]}
            assert found == {1: "one", 2: "two", 3: "three"}
            assert open_descriptors() == before


async def test_through_content_length_framing(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            messages = [
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "session.initialize",
                    "params": {"client": {"name": "x"}},
                },
                request(2),
            ]
            bodies = [json.dumps(one).encode() for one in messages]
            first, second = (b"Content-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
            await client.send(first)
            with files("framed") as fds:
                await send_with(client, second[:8], fds)
                await client.send(second[8:])
                data = b""
                while b"framed" not in data:
                    data += await client.stream.receive_some(65536)


async def test_the_most_that_a_message_may_have(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            before = open_descriptors()
            async with rpc.connect() as client:
                with files(*(str(n) for n in range(PER_MESSAGE))) as fds:
                    await send_with(client, line(request(1, fd=PER_MESSAGE - 1)), fds)
                    assert (await client.receive())["result"]["message"]["text"] == str(PER_MESSAGE - 1)
                with files(*("x" for _ in range(PER_MESSAGE + 1))) as fds:
                    await send_with(client, line(request(1)), fds)
                    assert (await client.receive())["error"]["data"]["slug"] == "too_large"
                with pytest.raises(EOFError):
                    await client.receive()
            await settled(rpc, before)


async def test_the_most_that_a_connection_may_keep(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            before = open_descriptors()
            async with rpc.connect() as client:
                waiting = line(request(1, text="wait", text_from=None))
                with files(*("x" for _ in range(PER_MESSAGE))) as fds:
                    for _ in range(PER_CONNECTION // PER_MESSAGE):
                        await send_with(client, waiting, fds)
                    while rpc.peer.default.waiting < PER_CONNECTION // PER_MESSAGE:
                        await trio.lowlevel.checkpoint()
                    await send_with(client, waiting, fds[:1])
                    assert (await client.receive())["error"]["data"]["slug"] == "too_large"
                rpc.peer.default.gate.set()
            await settled(rpc, before)


@pytest.mark.parametrize(
    "rest", [b"", b'{"jsonrpc"', b"\n", b"not json\n", b'{"jsonrpc":"2.0","method":"x"}\n']
)
async def test_nothing_is_left_of_a_client_that_goes(tmp_path, rest):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            before = open_descriptors()
            for _ in range(20):
                async with rpc.connect() as client:
                    with files("a", "b") as fds:
                        await send_with(client, rest or b" ", fds)
            await settled(rpc, before)


async def test_a_cancelled_call_closes_its_own(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            read, write = os.pipe()
            await send_with(client, line(request(77)), [read])
            os.close(read)
            assert (await client.call("rpc.cancel", id=77))["result"] == {"found": True}
            assert (await client.receive())["error"]["data"]["slug"] == "cancelled"
            os.close(write)
            assert open_descriptors() == before


async def test_both_clients(tmp_path):
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            async with open_client(str(rpc.path)) as client:
                before = open_descriptors()
                with files("by trio", "second") as fds:
                    async with trio.open_nursery() as nursery:
                        for _ in range(5):
                            nursery.start_soon(client.call, "daemon.version")
                        sent = await client.call(
                            "chat.send",
                            descriptors=fds,
                            to="@bob",
                            text_from={"fd": 1},
                            idempotency_key="x" * 99,
                        )
                    assert sent["message"]["text"] == "second"
                assert open_descriptors() == before
                with trio.move_on_after(0.05):
                    await client.call("chat.send", to="@bob", text="wait")
                while rpc.peer.default.waiting:
                    await trio.lowlevel.checkpoint()
            assert rpc.peer.default.sent == ["second"]

            def in_a_thread() -> None:
                with Client.connect(str(rpc.path)) as client, files("by sync") as fds:
                    sent = client.call("chat.send", descriptors=fds, to="@bob", text_from={"fd": 0})
                    assert sent["message"]["text"] == "by sync"
                    with pytest.raises(RequestError) as refused:
                        client.call("chat.send", to="@bob", text_from={"fd": 0})
                    assert refused.value.slug is Slug.INVALID_ARGUMENT

            await trio.to_thread.run_sync(in_a_thread)


async def test_a_connection_may_begin_with_a_line_that_has_some(tmp_path):
    hello = {"client": {"name": "test"}}
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            await client.call("rpc.discover")  # accepted by now
            before = open_descriptors()
            begin = {"jsonrpc": "2.0", "id": 1, "method": "session.initialize", "params": hello}
            with files("nobody asked") as fds:
                await send_with(client, line(begin), fds)
                assert (await client.receive())["result"]["profile"] == "default"
            assert "result" in await client.call("daemon.health")
            again = await client.call("session.initialize", **hello)
            assert again["error"]["data"]["slug"] == "invalid_argument"
            assert open_descriptors() == before
