"""A disk that is full soon: a tmpfs of a few megabytes. Mounting one needs root."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 64 * 1024


@contextmanager
def small_disk(directory: Path, size: int) -> Iterator[Path]:
    """A tmpfs of `size` bytes; needs root."""
    directory.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(directory)]
    subprocess.run(mount, check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(path: Path, *, leave: int = 0) -> None:
    """Write until the disk is full, then give `leave` bytes back."""
    written = 0
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                written += file.write(bytes(BLOCK))
        except OSError:
            file.truncate(max(written - leave, 0))
