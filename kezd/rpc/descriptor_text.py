"""Text read from a descriptor that a client sent: bounded in bytes and in time, UTF-8 or refused.

Not for files of any size. Invariants: the descriptor is closed whatever happens; nothing
that the client does with its end can block Trio's thread: a file is read in another
thread, a pipe through an open file description of our own, which does not block.
"""

import os
import stat

import trio

from kezd.errors import RequestError, Slug

READ_TIMEOUT = 30.0
"""Seconds until the whole text has to be there."""


async def read_text(descriptor: int, limit: int, field: str) -> str:
    """Read a file, or a pipe to its end, and close it.

    Args:
        descriptor: ours to close.
        limit: bytes at most.
        field: the parameter, named in errors.

    Raises:
        RequestError: `invalid_argument` when it cannot be read, is neither file nor pipe, or is no
            UTF-8; `too_large` over the limit.
    """
    try:
        with trio.fail_after(READ_TIMEOUT):
            data = await _read(descriptor, limit + 1, field)
    except trio.TooSlowError as error:
        raise _refusal(field, f"nobody ended the pipe within {READ_TIMEOUT:.0f} s") from error
    except OSError as error:
        raise _refusal(field, f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise RequestError(Slug.TOO_LARGE, f"`{field}`: more than {limit} bytes", detail={"field": field})
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(field, f"is no UTF-8 text (byte {error.start})") from error


async def _read(descriptor: int, count: int, field: str) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return await trio.to_thread.run_sync(_read_file, os.dup(descriptor), count, abandon_on_cancel=True)
    if not stat.S_ISFIFO(mode):
        raise _refusal(field, "is neither a file nor a pipe")
    # Another open file description: O_NONBLOCK on the client's would change the client's own reads.
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return await _read_pipe(own, count)
    finally:
        os.close(own)


def _read_file(descriptor: int, count: int) -> bytes:
    """From where the client's place in it is."""
    with open(descriptor, "rb") as file:
        return file.read(count)


async def _read_pipe(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            piece = os.read(descriptor, count - len(data))
        except BlockingIOError:
            await trio.lowlevel.wait_readable(descriptor)
            continue
        if not piece:
            break
        data += piece
    return data


def _refusal(field: str, what: str) -> RequestError:
    return RequestError(Slug.INVALID_ARGUMENT, f"`{field}`: {what}", detail={"field": field})
