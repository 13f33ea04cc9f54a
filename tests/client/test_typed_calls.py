"""The generated calls and shapes: all of the table, and what they send and return on a real socket."""

import dataclasses
import inspect
import keyword
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import trio

from kezd.api import types as t
from kezd.api.methods import API_VERSION, METHODS
from kezd.api.notifications import NOTIFICATIONS, TOPICS
from kezd.client import calls_sync, calls_trio, shapes, wire
from kezd.client.sync import Client
from kezd.client.trio_client import open_client
from kezd.testing.rpc_driver import open_rpc

REPOSITORY = Path(__file__).parent.parent.parent


def record(calls):
    def call(method, descriptors=(), **params):
        calls.append((method, params, *descriptors))
        return {"ok": True}

    return call


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_method_has_a_typed_call_that_sends_what_it_is_given(method):
    calls = []
    noun, verb = method.name.split(".")
    verb += "_" * keyword.iskeyword(verb)
    given = {field.name: 1 for field in msgspec.structs.fields(method.params)}
    typed = getattr(getattr(calls_sync.Api(record(calls)), noun), verb)
    assert typed(**given) == {"ok": True}
    assert calls == [(method.name, given)]
    assert typed.__doc__.startswith(method.doc)
    waited = getattr(getattr(calls_trio.Api(record(calls)), noun), verb)
    assert inspect.iscoroutinefunction(waited)
    assert inspect.signature(waited) == inspect.signature(typed)


def test_a_method_that_takes_a_file_takes_descriptors():
    calls = []
    calls_sync.Api(record(calls)).chat.send(to="@bob", text_from={"fd": 0}, descriptors=[7])
    assert calls == [("chat.send", {"to": "@bob", "text_from": {"fd": 0}}, 7)]
    assert "descriptors" not in inspect.signature(calls_sync.Chat.history).parameters


def test_the_clients_speak_the_newest_version():
    assert (wire.API_MIN, wire.API_MAX) == (1, API_VERSION)


def test_nothing_is_left_over():
    nouns = {method.name.partition(".")[0] for method in METHODS}
    assert set(vars(calls_sync.Api(None))) == set(vars(calls_trio.Api(None))) == nouns
    verbs = {
        f"{noun}.{verb.rstrip('_')}"
        for noun, part in vars(calls_sync.Api(None)).items()
        for verb in vars(type(part))
        if not verb.startswith("_")
    }
    assert verbs == {method.name for method in METHODS}


def all_structs():
    named = [kind for method in METHODS for kind in (method.params, method.result)]
    named += [row.params for row in NOTIFICATIONS] + [row.body for row in TOPICS]
    return [kind for kind in dict.fromkeys(named) if msgspec.structs.fields(kind)]


@pytest.mark.parametrize("struct", all_structs(), ids=lambda s: s.__name__)
def test_each_shape_has_the_members_of_its_struct(struct):
    shape = getattr(shapes, struct.__name__)
    fields = {field.name: field.required for field in msgspec.structs.fields(struct)}
    assert set(shape.__annotations__) == set(fields)
    assert shape.__required_keys__ == {name for name, required in fields.items() if required}


async def test_both_clients_on_the_wire(tmp_path):
    def use(path):
        with Client.connect(path) as client:
            return client.api.chat.send(to="@bob", text="from a script")["message"]["text"]

    with trio.fail_after(20):
        async with open_rpc(tmp_path) as rpc, open_client(str(rpc.path)) as client:
            sent = await client.api.chat.send(to="@bob", text="hi", idempotency_key="k")
            assert sent["message"]["text"] == "hi"
            msgspec.convert(sent, t.SendResult)
            assert (await client.api.daemon.health())["state"] == "open"
            assert await trio.to_thread.run_sync(use, str(rpc.path)) == "from a script"


async def test_what_the_daemon_says_about_a_deprecated_method_becomes_a_warning(tmp_path):
    table = [
        dataclasses.replace(m, deprecated="chat.history") if m.name == "chat.message" else m for m in METHODS
    ]

    def use(path):
        with Client.connect(path) as client:
            with pytest.warns(DeprecationWarning, match=r"chat\.message is deprecated, use chat\.history"):
                client.api.chat.message(id="0" * 32)
            client.api.chat.message(id="0" * 32)

    with trio.fail_after(20):
        async with open_rpc(tmp_path, methods=table) as rpc:
            await trio.to_thread.run_sync(use, str(rpc.path))
            async with open_client(str(rpc.path)) as client:
                with pytest.warns(DeprecationWarning, match=r"chat\.message is deprecated"):
                    await client.api.chat.message(id="0" * 32)
                await client.api.chat.message(id="0" * 32)


def test_a_script_that_does_not_use_them_does_not_load_them():
    program = (
        "import sys, kezd.client.sync; "
        "print([m for m in sys.modules if 'calls' in m or 'shapes' in m or m in ('msgspec', 'trio', 'typing_extensions')])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


PROGRAM = """
from kezd.client.sync import Client
from kezd.client.trio_client import open_client

with Client.connect() as client:
    text: str | None = client.api.chat.send(to="@bob", text="hi")["message"]["text"]
    client.api.chat.send(to="@bob", text=3)  # type: ignore[arg-type]
    client.api.chat.send(text="hi")  # type: ignore[call-arg]
    client.api.chat.send(to="@bob", text="hi", loud=True)  # type: ignore[call-arg]
    client.api.chat.shout()  # type: ignore[attr-defined]
    client.api.daemon.health()["oops"]  # type: ignore[typeddict-item]

async def use() -> int:
    async with open_client() as client:
        for link in (await client.api.daemon.health())["links"]:
            print(link["name"].upper())
        return (await client.api.chat.send(to="@bob", text="hi"))["message"]["id"]  # type: ignore[return-value]
"""


def test_a_type_checker_knows_parameters_and_results(tmp_path):
    """Each `type: ignore` is an error that must be there: mypy reports unused ones."""
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        str(tmp_path / "program.py"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout
