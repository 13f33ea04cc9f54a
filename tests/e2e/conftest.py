"""A world of real processes for each test, in a directory whose name is short enough for a socket."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezd.testing.people import World

TAIL = 40


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="kezd-") as text:
        directory = Path(text)
        try:
            with World.open(directory) as world:
                yield world
        finally:
            for path in sorted(directory.rglob("*.log")):
                lines = path.read_text(errors="replace").splitlines()
                print(f"--- {path.relative_to(directory)}", *lines[-TAIL:], sep="\n")
