"""Clients that break off, stall, drip or flood: the server stands, forgets them, and serves the others."""

import json
import socket
import struct
import time
from pathlib import Path

import pytest
import trio

from kezd.rpc.requests import NESTING
from kezd.runtime.settings import RpcSettings
from kezd.testing.rpc_driver import INITIALIZE, RawClient, Rpc, open_rpc

CALL = b'{"jsonrpc":"2.0","id":1,"method":"daemon.version"}\n'
HELLO = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "session.initialize", "params": INITIALIZE}).encode()
RST = struct.pack("ii", 1, 0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def forgotten(rpc: Rpc, descriptors: int) -> None:
    while rpc.server.connections or open_descriptors() > descriptors:
        await trio.sleep(0.001)


def dial(rpc: Rpc) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(rpc.path))
    return sock


@pytest.mark.parametrize("cut", [0, 1, 20, len(CALL) - 1])
async def test_killed_in_the_middle_of_a_line(tmp_path, cut):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc:
            before = open_descriptors()
            for _ in range(20):
                with dial(rpc) as sock:
                    sock.sendall(HELLO + b"\n" + CALL + CALL[:cut])
            await forgotten(rpc, before)
            async with rpc.connect() as client:
                assert "result" in await client.call("daemon.version")


async def test_killed_while_calls_run(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc:
            before = open_descriptors()
            for _ in range(10):
                async with rpc.connect() as client:
                    for _ in range(5):
                        await client.begin("chat.send", to="@bob", text="wait")
            while rpc.peer.default.waiting < 50:
                await trio.lowlevel.checkpoint()
            rpc.peer.default.gate.set()
            await forgotten(rpc, before)
            assert len(rpc.peer.default.sent) == 50


async def test_half_open_clients_hold_their_place_and_nothing_else(tmp_path):
    """The one end is shut, or nothing is ever said: they wait, up to the cap, and go when they go."""
    with trio.fail_after(20):
        limits = RpcSettings(connections=8)
        async with open_rpc(tmp_path, limits=limits) as rpc:
            before = open_descriptors()
            silent = [dial(rpc) for _ in range(4)]
            deaf = [dial(rpc) for _ in range(3)]
            for sock in deaf:
                sock.shutdown(socket.SHUT_RD)
                sock.sendall(HELLO + b"\n" + CALL * 50)
            async with rpc.connect() as client:
                for _ in range(20):
                    assert "result" in await client.call("daemon.version")
            for sock in (*silent, *deaf):
                sock.close()
            await forgotten(rpc, before)


async def test_byte_by_byte(tmp_path):
    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as slow, rpc.connect() as other:
            for byte in CALL * 3:
                await slow.send(bytes([byte]))
                await trio.lowlevel.checkpoint()
                assert "result" in await other.call("daemon.version")
            for _ in range(3):
                assert "result" in await slow.receive()


async def test_byte_by_byte_costs_no_more_than_the_line_is_long(tmp_path):
    """A line of many pieces is put together once, not once for each piece."""
    with trio.fail_after(60):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            text = b"x" * 20_000
            line = b'{"jsonrpc":"2.0","id":9,"method":"chat.message","params":{"id":"' + text + b'"}}\n'
            for start in range(0, len(line), 7):
                await client.send(line[start : start + 7])
            assert (await client.receive())["id"] == 9


async def _slow_reader(
    tmp_path: Path, seconds: float, *, patience: float = 30.0, piece: int = 100, pause: float = 0.02
) -> None:
    """It asks for long answers and takes a little of them now and then: held up, alone, and kept."""
    with trio.fail_after(seconds + 60):
        async with (
            open_rpc(tmp_path, write_timeout=patience) as rpc,
            rpc.connect() as slow,
            rpc.connect() as other,
        ):
            await _ask_until_held_up(slow)
            until = trio.current_time() + seconds
            worst = 0.0
            while trio.current_time() < until:
                await slow.stream.receive_some(piece)
                began = time.perf_counter()
                assert "result" in await other.call("daemon.version")
                worst = max(worst, time.perf_counter() - began)
                await trio.sleep(pause)
            assert rpc.server.connections == 2, "it reads, if only a little"
            assert worst < 1.0
            # What it does not take stays at its own end: the server holds a bounded part of it.
            (connection,) = [c for c in rpc.server._connections if c._outbox._size]
            assert connection._outbox._size < 4 * 1024 * 1024


async def _ask_until_held_up(client: RawClient) -> None:
    with trio.move_on_after(0.3):
        while True:
            await client.begin("chat.history", contact="long", limit=200)


async def test_a_slow_reader_for_seconds(tmp_path):
    await _slow_reader(tmp_path, 3)


async def test_a_reader_slower_than_the_patience_is_kept_and_one_that_takes_nothing_is_not(tmp_path):
    """In the time that it is given it takes less than would make its socket writable again."""
    await _slow_reader(tmp_path, 4, patience=0.5, piece=4096, pause=0.02)
    with trio.fail_after(20):
        still_path = tmp_path / "still"
        still_path.mkdir()
        async with open_rpc(still_path, write_timeout=0.5) as rpc, rpc.connect() as still:
            await _ask_until_held_up(still)
            while rpc.server.connections:
                await trio.sleep(0.01)


@pytest.mark.soak
async def test_a_slow_reader_for_ten_minutes(tmp_path):
    await _slow_reader(tmp_path, 600)


async def _connect_and_drop(tmp_path: Path, count: int) -> None:
    with trio.fail_after(60 + count / 50):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            before = open_descriptors()
            for number in range(count):
                sock = await trio.to_thread.run_sync(dial, rpc)
                match number % 5:
                    case 0:
                        sock.send(HELLO + b"\n" + CALL)
                    case 1:
                        sock.send(CALL[:9])
                    case 2:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                    case 3:
                        sock.shutdown(socket.SHUT_WR)
                    case _:
                        pass
                sock.close()
                if number % 20 == 0:
                    assert "result" in await client.call("daemon.version")
            while rpc.server.connections > 1 or open_descriptors() > before:
                await trio.sleep(0.001)


async def test_five_hundred_connects_and_drops(tmp_path):
    await _connect_and_drop(tmp_path, 500)


@pytest.mark.soak
async def test_ten_thousand_connects_and_drops(tmp_path):
    await _connect_and_drop(tmp_path, 10_000)


# --- caps, to the last one that passes


def line_of(length: int) -> bytes:
    head, tail = b'{"jsonrpc":"2.0","id":4,"method":"chat.message","params":{"id":"', b'"}}'
    return head + b"a" * (length - len(head) - len(tail)) + tail


@pytest.mark.parametrize(("more", "passes"), [(0, True), (1, False)])
async def test_the_longest_line_of_the_defaults(tmp_path, more, passes):
    limit = RpcSettings().line_bytes
    assert limit == 4 * 1024 * 1024
    with trio.fail_after(30):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            answer = await client.ask(line_of(limit + more))
            assert ("result" in answer) == passes
            if not passes:
                assert answer["error"]["data"]["slug"] == "too_large"


@pytest.mark.parametrize(("more", "passes"), [(0, True), (1, False)])
async def test_the_longest_framed_message_of_the_defaults(tmp_path, more, passes):
    body = line_of(RpcSettings().line_bytes + more)
    with trio.fail_after(30):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            hello = b"Content-Length: %d\r\n\r\n%b" % (len(HELLO), HELLO)
            try:
                await client.send(hello + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            except trio.BrokenResourceError:
                assert not passes
            received = b""
            wanted = b'"id":4' if passes else b"too_large"
            while wanted not in received:
                received += await client.stream.receive_some(65536)


@pytest.mark.parametrize(("depth", "passes"), [(NESTING, True), (NESTING + 1, False)])
async def test_the_deepest_nesting(tmp_path, depth, passes):
    inner = b"[" * (depth - 2) + b"]" * (depth - 2)
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client:
            answer = await client.ask(
                b'{"jsonrpc":"2.0","id":1,"method":"chat.message","params":{"id":' + inner + b"}}"
            )
            # Both are refused, the one for what it says and the other for its shape.
            assert (answer["id"] == 1) == passes
            assert (answer["error"]["code"] == -32700) != passes


async def test_as_many_connections_as_the_defaults_allow_and_no_more(tmp_path):
    limit = RpcSettings().connections
    assert limit == 32
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc:
            socks = [dial(rpc) for _ in range(limit)]
            streams = [RawClient(trio.SocketStream(trio.socket.from_stdlib_socket(sock))) for sock in socks]
            for stream in streams:
                assert "result" in await stream.ask(CALL.strip())
            async with rpc.connect(initialize=False) as late:
                assert (await late.receive())["error"]["data"]["slug"] == "busy"
            for sock in socks:
                sock.close()


async def test_as_many_calls_at_once_as_the_defaults_allow(tmp_path):
    limit = RpcSettings().calls_in_flight
    assert limit == 64
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect() as client, rpc.connect() as other:
            for _ in range(limit + 1):
                await client.begin("chat.send", to="@bob", text="wait")
            while rpc.peer.default.waiting < limit:
                await trio.lowlevel.checkpoint()
            assert "result" in await other.call("daemon.version")
            assert rpc.peer.default.most_waiting == limit
            rpc.peer.default.gate.set()
            for _ in range(limit + 1):
                assert "result" in await client.receive()


@pytest.mark.parametrize(("count", "passes"), [(100, True), (101, False)])
async def test_the_largest_framed_batch(tmp_path, count, passes):
    assert RpcSettings().batch == 100
    call = {"jsonrpc": "2.0", "id": 1, "method": "daemon.version"}
    body = json.dumps([call] * count).encode()
    with trio.fail_after(10):
        async with open_rpc(tmp_path) as rpc, rpc.connect(initialize=False) as client:
            await client.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            received = b""
            while not received.endswith((b"]", b"}")) or received.count(b'"jsonrpc"') < (
                count if passes else 1
            ):
                received += await client.stream.receive_some(1 << 20)
            answer = json.loads(received.partition(b"\r\n\r\n")[2])
            assert (len(answer) == count) if passes else (answer["error"]["code"] == -32600)
