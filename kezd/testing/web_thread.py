"""A `small_web` in a thread of its own, for tests that are not asynchronous: real peers are child processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
import trustme

from kezd.testing.small_web import Web, open_web


@contextmanager
def web_thread(directory: Path, *names: str) -> Iterator[tuple[Web, Path]]:
    """A web for the length of the block, and the file with the certificate of its authority."""
    authority = trustme.CA()
    trusted = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    ready, opened, stop = threading.Event(), list[Web](), list[tuple[trio.lowlevel.TrioToken, trio.Event]]()

    async def serve() -> None:
        over = trio.Event()
        async with open_web(authority, *names) as web:
            opened.append(web)
            stop.append((trio.lowlevel.current_trio_token(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=trio.run, args=(serve,), name="small-web")
    thread.start()
    ready.wait()
    try:
        yield opened[0], trusted
    finally:
        token, over = stop[0]
        token.run_sync_soon(over.set)
        thread.join()
