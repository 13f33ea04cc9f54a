"""A TCP proxy before nats-server that can lose what a network loses, and count what passes.

    with BrokerProxy.start(target_port) as proxy:
        proxy.withhold_pubacks = True

Reads just enough of the NATS protocol to see publishes and acknowledgements. Not a broker and
not a mock: whatever it lets through is the real server's. Publishes to inboxes are noted as
(dedupe key, hash of the bytes), so a test can tell that a repeat was the same bytes.
"""

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kezd.testing.ports import free_port

CHUNK = 256 * 1024
_DEDUPE = re.compile(rb"\r\nNats-Msg-Id: *([0-9a-f]{32})\r\n", re.IGNORECASE)
_PUBACK = re.compile(rb'^\{"stream":"KEZ_INBOX".*"seq":')
_INBOX = b"kez.inbox."
_WITH_PAYLOAD = frozenset({b"PUB", b"HPUB", b"MSG", b"HMSG"})


@dataclass(frozen=True, slots=True)
class Published:
    """One publish to an inbox as it passed."""

    dedupe_key: str
    digest: str


@dataclass(frozen=True, slots=True)
class _Frame:
    head: bytes
    payload: bytes
    raw: bytes

    @property
    def verb(self) -> bytes:
        return self.head.split(b" ", 1)[0].upper()


class BrokerProxy:
    """See the module. The switches may be set at any time, from any thread."""

    def __init__(self, port: int, target_port: int) -> None:
        self.port = port
        self.url = f"nats://127.0.0.1:{port}"
        self.withhold_pubacks = False
        """Swallow the server's acknowledgements of publishes."""
        self.stalled = False
        """Swallow everything in both directions; connections stay open."""
        self.refusing = False
        """Close what connects."""
        self.published: list[Published] = []
        self.withheld = 0
        """Acknowledgements swallowed so far."""
        self._target_port = target_port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)

    @classmethod
    @contextmanager
    def start(cls, target_port: int, port: int | None = None) -> Iterator["BrokerProxy"]:
        """Listen for the length of the block; the target need not be up yet.

        Args:
            target_port: nats-server's port on loopback.
            port: where to listen; any free one by default.
        """
        self = cls(free_port() if port is None else port, target_port)
        thread = threading.Thread(target=self._accept, name="broker-proxy", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            # Closing alone does not wake a thread that is inside accept.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self.cut()
            thread.join(5)

    def cut(self) -> None:
        """Close every connection now; new ones are accepted as before."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def repeats(self) -> dict[str, set[str]]:
        """Of each dedupe key that was published more than once: the digests it came with."""
        seen: dict[str, list[str]] = {}
        for one in list(self.published):
            seen.setdefault(one.dedupe_key, []).append(one.digest)
        return {key: set(digests) for key, digests in seen.items() if len(digests) > 1}

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets |= {client, server}
            for source, sink, inspect in ((client, server, self._up), (server, client, self._down)):
                threading.Thread(
                    target=self._pump, args=(source, sink, inspect), name="broker-proxy-pump", daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, inspect: Callable[[_Frame], bool]) -> None:
        buffer = bytearray()
        try:
            while data := source.recv(CHUNK):
                if self.stalled:
                    continue
                buffer += data
                passed = [frame.raw for frame in _frames(buffer) if inspect(frame)]
                if passed:
                    sink.sendall(b"".join(passed))
        except OSError:
            pass  # one of the two ends is gone, which is all that the other has to learn
        for one in (source, sink):
            with self._lock:
                self._sockets.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _up(self, frame: _Frame) -> bool:
        if frame.verb == b"HPUB" and frame.head.split(b" ")[1].startswith(_INBOX):
            header_size = int(frame.head.split(b" ")[-2])
            found = _DEDUPE.search(frame.payload[:header_size])
            digest = hashlib.sha256(frame.payload[header_size:]).hexdigest()
            self.published.append(Published(found[1].decode() if found else "", digest))
        return True

    def _down(self, frame: _Frame) -> bool:
        if self.withhold_pubacks and frame.verb == b"MSG" and _PUBACK.match(frame.payload):
            self.withheld += 1
            return False
        return True


def _frames(buffer: bytearray) -> Iterator[_Frame]:
    """Take every complete frame out of `buffer`."""
    while (end := buffer.find(b"\r\n")) >= 0:
        head = bytes(buffer[:end])
        verb = head.split(b" ", 1)[0].upper()
        size = 0
        if verb in _WITH_PAYLOAD:
            size = int(head.split(b" ")[-1]) + 2
            if len(buffer) < end + 2 + size:
                return
        payload = bytes(buffer[end + 2 : end + 2 + size - 2]) if size else b""
        raw = bytes(buffer[: end + 2 + size])
        del buffer[: end + 2 + size]
        yield _Frame(head, payload, raw)
