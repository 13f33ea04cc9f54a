"""NATS by hand over a socket: a client that says exactly what a test wants, also what is wrong.

No library stands between the test and the wire, so an attack here is what an attacker could send.
Synchronous; `barrier` returns when the server has dealt with everything before it.
"""

import base64
import json
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SOCKET_TIMEOUT = 10.0


class ForgettableSocket(socket.socket):
    """A socket that a test may simply forget, as a client that vanishes does."""

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One MSG or HMSG; `headers` are the raw bytes."""

    nats_subject: str
    reply: str
    headers: bytes
    data: bytes


class RefusedError(Exception):
    """The server said -ERR during the handshake, or closed."""


@dataclass
class RawNats:
    """A connection after its handshake."""

    stream: socket.socket
    info: dict[str, Any]
    buffer: bytearray = field(default_factory=bytearray)
    messages: deque[RawMessage] = field(default_factory=deque)
    errors: list[str] = field(default_factory=list)
    pongs: int = 0
    closed: bool = False
    subscriptions: int = 0

    @classmethod
    def open(cls, url: str) -> "RawNats":
        """Connect and read INFO; nothing is said yet."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        stream = ForgettableSocket(socket.AF_INET, socket.SOCK_STREAM)
        stream.settimeout(SOCKET_TIMEOUT)
        stream.connect((parts.hostname, parts.port or 4222))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self = cls(stream, {})
        line = self._line()
        self.info = json.loads(line.removeprefix(b"INFO "))
        return self

    @classmethod
    def login(
        cls, url: str, nkey: str, sign: Callable[[str], bytes], name: str = "", **options: Any
    ) -> "RawNats":
        """Connect and log in with an nkey.

        Raises:
            RefusedError: the server's words.
        """
        self = cls.open(url)
        signature = base64.b64encode(sign(self.info["nonce"])).decode()
        self.handshake({"nkey": nkey, "sig": signature, "name": name, **options})
        return self

    def handshake(self, options: dict[str, Any]) -> None:
        """CONNECT with these members and wait for the answer.

        Raises:
            RefusedError: the server's words.
        """
        base = {
            "verbose": False, "pedantic": False, "lang": "raw", "version": "0", "protocol": 1,
            "headers": True, "no_responders": True,
        }  # fmt: skip
        self.send(b"CONNECT " + json.dumps({**base, **options}).encode() + b"\r\n")
        try:
            self.barrier()
        except OSError as error:
            self.close()
            raise RefusedError(self.errors[0] if self.errors else str(error)) from error

    def send(self, data: bytes) -> None:
        """Raw bytes."""
        self.stream.sendall(data)

    def subscribe(self, nats_subject: str, queue: str = "") -> None:
        """SUB."""
        self.subscriptions += 1
        self.send(f"SUB {nats_subject} {queue} {self.subscriptions}\r\n".encode())

    def publish(self, nats_subject: str, data: bytes = b"", reply: str = "", headers: str = "") -> None:
        """PUB, or HPUB with headers like "Nats-Msg-Id: x"."""
        if headers:
            head = f"NATS/1.0\r\n{headers}\r\n\r\n".encode()
            line = f"HPUB {nats_subject} {reply} {len(head)} {len(head) + len(data)}\r\n".encode()
            self.send(line + head + data + b"\r\n")
        else:
            self.send(f"PUB {nats_subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n")

    def request(
        self, nats_subject: str, data: bytes, inbox: str, headers: str = "", timeout: float = 5.0
    ) -> RawMessage | None:
        """Publish with a reply subject that this connection listens to; None: nothing came."""
        self.publish(nats_subject, data, inbox, headers)
        return self.wait_message(timeout)

    def barrier(self) -> None:
        """PING and wait for its PONG: everything sent before has been dealt with.

        Raises:
            OSError: the server closed the connection.
        """
        wanted = self.pongs + 1
        self.send(b"PING\r\n")
        while self.pongs < wanted:
            self._read_one()

    def wait_message(self, timeout: float = 5.0) -> RawMessage | None:
        """The next message, None when none came in time."""
        deadline = time.monotonic() + timeout
        while not self.messages:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.stream.settimeout(left)
            try:
                self._read_one()
            except TimeoutError:
                return None
            finally:
                self.stream.settimeout(SOCKET_TIMEOUT)
        return self.messages.popleft()

    def wait_closed(self, timeout: float = 5.0) -> bool:
        """Whether the server closes the connection in time."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.stream.settimeout(left)
            try:
                self._read_one()
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        self.stream.close()

    def _read_one(self) -> None:
        line = self._line()
        verb = line[:4].upper()
        if verb.startswith(b"MSG"):
            words = line.decode().split(" ")
            data = self._bytes(int(words[-1]) + 2)[:-2]
            self.messages.append(RawMessage(words[1], words[3] if len(words) == 5 else "", b"", data))
        elif verb == b"HMSG":
            words = line.decode().split(" ")
            head, total = int(words[-2]), int(words[-1])
            body = self._bytes(total + 2)[:-2]
            reply = words[3] if len(words) == 6 else ""
            self.messages.append(RawMessage(words[1], reply, body[:head], body[head:]))
        elif verb == b"PONG":
            self.pongs += 1
        elif verb == b"PING":
            self.send(b"PONG\r\n")
        elif verb == b"-ERR":
            self.errors.append(line.decode())

    def _line(self) -> bytes:
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._fill()
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return line

    def _bytes(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def _fill(self) -> None:
        data = self.stream.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self.buffer += data
