"""Parameters that a hostile file chooses are bounded, and too little memory is an answer."""

import subprocess
import sys

import msgspec
import pytest

from kezd.store.argon2 import MEMORY_KIB, PASSES, Argon2, new_argon2

STARVED = """
import resource
from kezd.errors import StoreError
from kezd.store.argon2 import Argon2, derive_key
from pathlib import Path
used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 2**20, used + 64 * 2**20))
try:
    derive_key(b"secret", Argon2(256 * 1024, 1, 1, "ab" * 16))
except StoreError as error:
    print(error.slug.value, error.message)
"""


@pytest.mark.parametrize(("name", "value"), [("memory_kib", 1024 * 1024), ("passes", 16), ("lanes", 64)])
def test_a_file_cannot_ask_for_any_amount_of_work(name, value):
    members = {**msgspec.to_builtins(new_argon2()), name: value}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(members, Argon2)


def test_what_we_write_is_within_the_bounds():
    written = new_argon2()
    assert (written.memory_kib, written.passes) == (MEMORY_KIB, PASSES)
    assert msgspec.convert(msgspec.to_builtins(written), Argon2) == written


def test_too_little_memory_is_said():
    done = subprocess.run(
        [sys.executable, "-c", STARVED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("store_failed")
    assert "256 MiB" in done.stdout
