"""A lean JSON-RPC connection for load: ready-made requests out, only what is looked at decoded."""

import socket
from collections.abc import Iterator

import msgspec


class Text(msgspec.Struct):
    id: str
    state: str


class Body(msgspec.Struct):
    type: str
    message: Text | None = None


class Notice(msgspec.Struct):
    seq: int = 0
    last_seq: int = 0
    event: Body | None = None


class Subscribed(msgspec.Struct):
    epoch: str | None = None
    seq: int | None = None
    message: Text | None = None


class Line(msgspec.Struct):
    id: int | None = None
    method: str | None = None
    params: Notice | None = None
    result: Subscribed | None = None
    error: msgspec.Raw | None = None


decode = msgspec.json.Decoder(Line).decode
encode = msgspec.json.encode
INITIALIZE = {"client": {"name": "bench"}, "api": {"min": 1, "max": 1}}


class Wire:
    """One initialised connection; blocking until `unblock`."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(path)
        self._rest = b""
        self._unsent = b""
        self._last_id = 0
        self._epoch = ""
        self.seq = 0
        self.call("session.initialize", INITIALIZE)

    def fileno(self) -> int:
        """For a selector."""
        return self._sock.fileno()

    def call(self, method: str, params: object) -> Subscribed:
        """One call and its answer; nothing else may be under way."""
        self.put(request(self._next_id(), method, params))
        self._sock.setblocking(True)
        self._sock.sendall(self._unsent)
        self._unsent = b""
        for line in self.lines():
            if line.error is not None:
                raise RuntimeError(bytes(line.error))
            if line.result is not None:
                return line.result
        raise RuntimeError("kezd closed the connection")

    def subscribe(self) -> None:
        """Listen to messages from now on."""
        place = self.call("events.subscribe", {"topics": ["message"]})
        assert place.epoch is not None
        assert place.seq is not None
        self._epoch, self.seq = place.epoch, place.seq

    def resume(self, last_seq: int) -> None:
        """Take a subscription that lagged up again."""
        since = {"epoch": self._epoch, "seq": last_seq}
        self.put(request(self._next_id(), "events.subscribe", {"topics": ["message"], "since": since}))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def unblock(self) -> None:
        """From now on `push` and `pull` do what they can at once."""
        self._sock.setblocking(False)

    def put(self, data: bytes) -> None:
        """Bytes to be sent by `push`."""
        self._unsent += data

    @property
    def wants_to_send(self) -> bool:
        """Whether something is left."""
        return bool(self._unsent)

    def push(self) -> None:
        """Send what the socket takes."""
        try:
            sent = self._sock.send(memoryview(self._unsent)[:262144])
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    def pull(self) -> list[Line]:
        """What has come."""
        try:
            data = self._sock.recv(262144)
        except BlockingIOError:
            return []
        if not data:
            raise RuntimeError("kezd closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [decode(line) for line in lines]

    def lines(self) -> Iterator[Line]:
        """Blocking: each line as it comes."""
        self._sock.setblocking(True)
        while True:
            yield from self.pull()


def request(number: int, method: str, params: object) -> bytes:
    """One line."""
    return encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + b"\n"
