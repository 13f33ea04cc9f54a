"""The client library for scripts, against the real server: results, errors, events, and a server that goes."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest
import trio

from kezd.client.sync import Client
from kezd.client.wire import error_from_wire, socket_path
from kezd.errors import FAMILIES, TABLE, InternalError, KezdError, RequestError, Slug, TrustError, error_for
from kezd.rpc.replies import encode_error
from kezd.runtime.paths import Paths
from kezd.testing.rpc_driver import open_rpc


async def in_thread(function):
    return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


async def test_calls_and_errors(tmp_path):
    def use(path):
        with Client.connect(path) as client:
            assert client.session["epoch"] == "e1"
            assert client.call("daemon.health")["state"] == "open"
            with pytest.raises(RequestError) as caught:
                client.call("chat.send", to="@eve", text="unknown")
            assert caught.value.slug is Slug.NOT_A_CONTACT
            assert caught.value.detail == {"contact": "@eve"}
            assert caught.value.hint == TABLE[Slug.NOT_A_CONTACT].hint
            long = client.call("chat.history", contact="long", limit=200)
            assert len(long["items"]) == 200

    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc:
            await in_thread(lambda: use(str(rpc.path)))


async def test_events_over_a_lag(tmp_path):
    seen = []

    def listen(path):
        with Client.connect(path) as client:
            for event in client.events(["message"], {"epoch": "e1", "seq": 0}):
                seen.append(event["seq"])
                if len(seen) == 2000:
                    return

    with trio.fail_after(30):
        async with open_rpc(tmp_path, queue_limit=8) as rpc, trio.open_nursery() as nursery:
            nursery.start_soon(in_thread, lambda: listen(str(rpc.path)))
            for n in range(1, 2001):
                rpc.peer.log.append("message", {"n": n, "text": "x" * 1000})
                if n % 50 == 0:
                    await trio.lowlevel.checkpoint()
    assert seen == list(range(1, 2001))


async def test_the_daemon_stops_while_we_listen(tmp_path):
    slugs = []

    def listen(path, listening):
        with Client.connect(path) as client:
            client.call("events.subscribe", topics=["message"])
            trio.from_thread.run_sync(listening.set)
            try:
                for _ in client.events(["message"]):
                    pass
            except KezdError as error:
                slugs.append(error.slug)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            listening = trio.Event()
            async with open_rpc(tmp_path) as rpc:
                nursery.start_soon(in_thread, lambda: listen(str(rpc.path), listening))
                await listening.wait()
    assert slugs in ([Slug.STOPPING], [Slug.NOT_RUNNING])


def test_nobody_there(tmp_path):
    with pytest.raises(KezdError) as caught:
        Client.connect(str(tmp_path / "nothing"))
    assert caught.value.slug is Slug.NOT_RUNNING
    assert "kezd" in caught.value.hint
    path = str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(KezdError) as caught:
        Client.connect(path)
    assert caught.value.slug is Slug.NOT_RUNNING


def serve_once(path: str, answer: bytes) -> threading.Thread:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def run() -> None:
        with listener, listener.accept()[0] as connection:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        (b"", Slug.NOT_RUNNING),
        (encode_error(error_for(Slug.BUSY), None) + b"\n", Slug.BUSY),
        (encode_error(error_for(Slug.FORBIDDEN), None) + b"\n", Slug.FORBIDDEN),
    ],
)
def test_turned_away(tmp_path, answer, slug):
    path = str(tmp_path / "s")
    thread = serve_once(path, answer)
    with pytest.raises(KezdError) as caught:
        Client.connect(path)
    assert caught.value.slug is slug
    thread.join()


def test_an_answer_that_does_not_come(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        with pytest.raises(KezdError) as caught:
            Client.connect(path, timeout=0.05)
    assert caught.value.slug is Slug.OFFLINE


@pytest.mark.parametrize("slug", list(Slug), ids=lambda s: s.value)
def test_every_error_comes_back_as_it_was_raised(slug):
    sent = error_for(slug, "text", hint="hint", retry_after_ms=7, detail={"field": "x"})
    got = error_from_wire(json.loads(encode_error(sent, 1))["error"])
    assert type(got) is FAMILIES[TABLE[slug].family]
    assert (got.slug, got.message, got.hint, got.retry_after_ms, got.detail, got.retryable, got.exit_code) == (
        sent.slug, sent.message, sent.hint, 7, {"field": "x"}, sent.retryable, sent.exit_code,
    )  # fmt: skip


def test_errors_of_a_newer_daemon():
    assert type(error_from_wire({"code": 1300, "message": "x", "data": {"slug": "new_kind"}})) is TrustError
    assert type(error_from_wire({"code": 9, "message": "x"})) is InternalError
    assert type(error_from_wire("nonsense")) is InternalError


@pytest.mark.parametrize(
    "environ",
    [
        {"KEZD_HOME": "/tmp/x"},
        {"KEZD_HOME": "relative/x"},
        {"KEZD_HOME": "/tmp/x", "XDG_RUNTIME_DIR": "/run/user/1"},
        {"XDG_RUNTIME_DIR": "/run/user/1"},
        {"XDG_RUNTIME_DIR": "relative", "HOME": "/home/a"},
        {"XDG_STATE_HOME": "/state", "HOME": "/home/a"},
        {"XDG_STATE_HOME": "state", "HOME": "/home/a"},
        {"HOME": "/home/a"},
    ],
)
def test_the_socket_is_where_the_daemon_puts_it(environ):
    assert Path(socket_path(environ)) == Paths.from_environment(environ).socket


def test_the_environment_is_the_default(tmp_path):
    before = os.environ.get("KEZD_HOME")
    os.environ["KEZD_HOME"] = str(tmp_path)
    try:
        with pytest.raises(KezdError) as caught:
            Client.connect()
    finally:
        if before is None:
            del os.environ["KEZD_HOME"]
    assert caught.value.detail["socket"] == str(tmp_path / "run" / "kezd.sock")
