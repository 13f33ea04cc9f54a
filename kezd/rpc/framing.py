"""How messages are cut out of a byte stream: one JSON text a line, or `Content-Length` headers.

Which of the two a connection speaks is told by its first byte (`C` begins a header), so
that libraries made for language servers work unchanged. Pure: bytes in, messages out; no
socket, no JSON. A message over the limit is an error at once, whatever is still to come,
so a stream never costs more memory than one message.
"""

from collections import deque
from typing import Protocol

HEADER_BYTES = 4 * 1024
"""Longest header block accepted before a `Content-Length` message."""


class FramingError(Exception):
    """The stream cannot be followed any further; `too_large` when a message is over the limit."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


class Framing(Protocol):
    """One direction in, one wrapper out."""

    def feed(self, data: bytes) -> None:
        """Take what was received.

        Raises:
            FramingError: the stream is broken for good.
        """
        ...

    def next_message(self) -> bytes | None:
        """The next whole message, or None until more is fed."""
        ...

    def begun(self) -> int:
        """Messages of which at least a part was fed and that were not taken out yet."""
        ...

    def wrap(self, payload: bytes) -> bytes:
        """The bytes that carry `payload` the other way."""
        ...


class LineFraming:
    """One message a line; an empty line is nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        first, *rest = data.split(b"\n")
        if len(self._tail) + len(first) > self._limit:
            raise FramingError(f"a line of more than {self._limit} bytes", too_large=True)
        if not rest:
            self._tail += data
            return
        if self._tail:
            self._tail += first
            self._lines.append(bytes(self._tail))
            self._tail = bytearray()
        else:
            self._lines.append(first)
        tail = rest.pop()
        self._lines.extend(rest)
        self._tail += tail
        if (rest and max(map(len, rest)) > self._limit) or len(self._tail) > self._limit:
            raise FramingError(f"a line of more than {self._limit} bytes", too_large=True)

    def next_message(self) -> bytes | None:
        """The next line without its end."""
        while self._lines:
            line = self._lines.popleft()
            if line and not line.isspace():
                return line
        return None

    def begun(self) -> int:
        """Lines that are not empty, and the one that has no end yet."""
        return sum(1 for line in self._lines if line and not line.isspace()) + bool(self._tail)

    def wrap(self, payload: bytes) -> bytes:
        """The payload with a line end."""
        return payload + b"\n"


class HeaderFraming:
    """`Content-Length: N`, an empty line, N bytes: as in the Language Server Protocol."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._messages: deque[bytes] = deque()
        self._wanted: int | None = None

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._buffer += data
        while True:
            if self._wanted is None:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(self._buffer) > HEADER_BYTES:
                        raise FramingError("a header block without end")
                    return
                self._wanted = self._content_length(bytes(self._buffer[:end]))
                del self._buffer[: end + 4]
            if len(self._buffer) < self._wanted:
                return
            self._messages.append(bytes(self._buffer[: self._wanted]))
            del self._buffer[: self._wanted]
            self._wanted = None

    def next_message(self) -> bytes | None:
        """The next body."""
        return self._messages.popleft() if self._messages else None

    def begun(self) -> int:
        """Whole bodies, and the message whose header or body is not whole yet."""
        return len(self._messages) + (bool(self._buffer) or self._wanted is not None)

    def wrap(self, payload: bytes) -> bytes:
        """The payload behind its header."""
        return b"Content-Length: %d\r\n\r\n%b" % (len(payload), payload)

    def _content_length(self, block: bytes) -> int:
        for line in block.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                digits = value.strip()
                if not digits.isdigit() or len(digits) > 12:
                    break
                if int(digits) > self._limit:
                    raise FramingError(f"a message of more than {self._limit} bytes", too_large=True)
                return int(digits)
        raise FramingError("a header block without a usable Content-Length")


def choose_framing(first: bytes, limit: int) -> Framing:
    """The framing that a stream beginning with `first` (not empty) speaks."""
    return HeaderFraming(limit) if first[:1] in (b"C", b"c") else LineFraming(limit)
