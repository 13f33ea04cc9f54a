"""`make demo` does what it says and leaves nothing behind; with KEEP it stays until Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezd.testing.people import wait_until

DEMO = [sys.executable, "-m", "kezd.testing.demo"]
MINUTE = 60


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A short directory of our own in the place of /tmp, so that leftovers can be seen."""
    with tempfile.TemporaryDirectory(prefix="kd-") as directory:
        yield Path(directory)


def processes_with(text: str) -> list[str]:
    """Command lines and environments of running processes that name `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            seen = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in seen:
            found.append(seen.replace(b"\0", b" ")[:200].decode(errors="replace"))
    return found


def test_the_demo_plays_and_leaves_nothing(scratch: Path) -> None:
    environment = os.environ | {"TMPDIR": str(scratch)}
    played = subprocess.run(
        DEMO, env=environment, capture_output=True, text=True, timeout=MINUTE, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stderr == ""
    assert "Everything arrived, nothing twice." in played.stdout
    assert "\x1b" not in played.stdout, "no colours into a pipe"
    assert list(scratch.iterdir()) == []
    assert processes_with(str(scratch)) == []


def test_keep_leaves_it_running_until_interrupted(scratch: Path) -> None:
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    output = scratch / "output"
    with output.open("wb") as file:
        demo = subprocess.Popen([*DEMO, "--keep"], env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until("it is kept", lambda: "Ctrl-C" in output.read_text() or demo.poll() is not None, MINUTE)
        assert demo.poll() is None, output.read_text()
        command = re.search(r"KEZD_HOME=(\S+) (\S+) send @bob", output.read_text())
        assert command is not None, output.read_text()
        sent = subprocess.run(
            [command[2], "send", "@bob", "hello again"],
            env=os.environ | {"KEZD_HOME": command[1]}, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert sent.returncode == 0, sent.stderr
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0, output.read_text()
    finally:
        demo.kill()
        demo.wait()
    assert [path.name for path in scratch.iterdir()] == ["output"]
    assert processes_with(str(scratch)) == []
