"""How a program of a bench talks with the bench: lines of JSON on stdin and stdout."""

import sys
from typing import Any

import msgspec


def say(value: Any) -> None:
    """One line to the bench."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def heard() -> Any:
    """The next line of the bench; None when it has nothing more to say."""
    line = sys.stdin.buffer.readline()
    return msgspec.json.decode(line) if line else None
