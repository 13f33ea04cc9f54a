"""The examples of `docs/rpc.md`, run as they stand there against the real server."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from kezd.testing.rpc_driver import open_rpc

PAGE = Path(__file__).parent.parent.parent / "docs" / "rpc.md"


def examples(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def environment(tmp_path):
    """Where the examples look for the socket."""
    (tmp_path / "kezd").symlink_to("run")
    keep = {key: value for key, value in os.environ.items() if key not in ("KEZD_HOME", "XDG_RUNTIME_DIR")}
    return {**keep, "XDG_RUNTIME_DIR": str(tmp_path)}


async def run(command, tmp_path, rpc):
    """Run a program while events keep coming; what it printed."""
    done = trio.Event()

    async def talk():
        while not done.is_set():
            rpc.peer.log.append("message", {"type": "received"})
            with trio.move_on_after(0.05):
                await done.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        finished = await trio.run_process(
            command, capture_stdout=True, env=environment(tmp_path), stderr=subprocess.STDOUT
        )
        done.set()
    return finished.stdout.decode()


@pytest.mark.parametrize(
    ("place", "printed"),
    [(0, r"queued\n"), (1, r"queued\n\d+ received\n")],
    ids=["without a library", "with the library"],
)
async def test_the_python_examples(tmp_path, place, printed):
    source = examples("python")[place]
    with trio.fail_after(30):
        async with open_rpc(tmp_path) as rpc:
            told = await run([sys.executable, "-c", source], tmp_path, rpc)
    assert re.fullmatch(printed, told)


def test_the_first_example_is_as_short_as_it_says():
    lines = [line for line in examples("python")[0].splitlines() if line.strip()]
    assert len(lines) <= 15


@pytest.mark.needs("socat")
async def test_the_shell_example(tmp_path):
    [source] = examples("sh")
    with trio.fail_after(30):
        async with open_rpc(tmp_path) as rpc:
            told = await run(["sh", "-c", source], tmp_path, rpc)
    answers = {answer["id"]: answer for answer in map(json.loads, told.splitlines())}
    assert answers[1]["result"]["scope"] == "chat"
    assert answers[2]["result"]["state"] == "open"


def test_the_json_examples_are_json():
    shown = [json.loads(example) for example in examples("json")]
    assert [example for example in shown if example.get("jsonrpc") == "2.0"]
    assert all("jsonrpc" in example or set(example) == {"params", "result"} for example in shown)
