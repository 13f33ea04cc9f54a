"""Readers of events: so many subscribers in one epoll loop, and some that never read.

`python -m bench.programs.event_load KIND SOCKET CONTROL PID RUNNING STOPPED EVENTS BATCH SINGLES PAUSE`.
KIND is `kezd` or `bare` (what listens on SOCKET). First EVENTS are ordered `BATCH` at a time, as fast
as they can be made, then SINGLES one at a time, `PAUSE` seconds apart; those that do not read have
stopped before the first. Says events a second (until the last reader had the last one), p50 and p99 of
handed over → read of the single ones, both over all readers, how often a reader lagged, and the
anonymous memory of process PID before and after, everybody still connected. Fails when a reader
misses an event or has one twice.
"""

import selectors
import socket
import sys
import time

import msgspec

from bench.figures import percentile
from bench.processes import Memory
from bench.programs.event_wire import EVENT, RUNNING, STOPPED, Order, Report
from bench.programs.rpc_load import connect as connect_rpc
from bench.programs.rpc_load import receive
from bench.programs.speech import say

PATIENCE = 60.0
SUBSCRIBE = b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":%b}\n'
LIVE = SUBSCRIBE % b'{"topics":["message"]}'


class Notice(msgspec.Struct):
    last_seq: int = 0
    epoch: str = ""
    seq: int = 0


class Line(msgspec.Struct):
    method: str = ""
    params: Notice | None = None
    result: Notice | None = None
    error: msgspec.Raw | None = None


decode = msgspec.json.Decoder(Line).decode


class Reader:
    """One subscriber: counts what comes and when."""

    def __init__(self, sock: socket.socket, seq: int) -> None:
        self.sock = sock
        self.wants = 0
        """Events of this order that have not come."""
        self.lagged = 0
        self._count = 0
        self.times: list[tuple[int, float]] = []
        """How many had come, and when that was."""
        self._seq = seq
        self._rest = b""
        self._last = b""

    def begin(self, events: int) -> None:
        """So many are about to come."""
        self.wants, self._count = events, 0
        self.times.clear()

    def take(self) -> None:
        """Read what is there."""
        data = self._rest + self.sock.recv(262144)
        now = time.perf_counter()
        end = data.rfind(b"\n") + 1
        if len(data) == len(self._rest):
            raise RuntimeError("the connection ended")
        lines, self._rest = data[:end], data[end:]
        events = lines.count(EVENT)
        if events != lines.count(b"\n"):
            self._look_at(lines)
        if events:
            self.wants -= events
            self._count += events
            self.times.append((self._count, now))
            self._last = lines[lines.rfind(b"\n", 0, lines.rfind(EVENT)) + 1 :].partition(b"\n")[0]

    def _look_at(self, lines: bytes) -> None:
        for line in map(decode, lines.splitlines()):
            if line.error is not None:
                raise RuntimeError(bytes(line.error))
            if line.method == "events.lagged" and line.params is not None:
                self.lagged += 1
                since = {
                    "topics": ["message"],
                    "since": {"epoch": line.params.epoch, "seq": line.params.last_seq},
                }
                self.sock.sendall(SUBSCRIBE % msgspec.json.encode(since))

    def check(self, bare: bool) -> None:
        """The last one has the seq that as many events without gap or double lead to."""
        line = decode(self._last)
        assert line.params is not None
        self._seq = self._count - 1 if bare else self._seq + self._count
        if self.wants or line.params.seq != self._seq:
            raise RuntimeError(f"{self.wants} are missing, the last is {line.params.seq}, not {self._seq}")


def join(kind: str, path: str, *, running: bool) -> tuple[socket.socket, int]:
    """Connected and subscribed, and the seq after which its events come."""
    if kind == "kezd":
        sock = connect_rpc(path)
        sock.sendall(LIVE)
        result = decode(receive(sock)).result
        assert result is not None
        return sock, result.seq
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.sendall(RUNNING if running else STOPPED)
    receive(sock)
    return sock, 0


class Crowd:
    """All readers, and the line to the source."""

    def __init__(self, kind: str, path: str, control: str, running: int, stopped: int) -> None:
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(control)
        self.deaf = [join(kind, path, running=False) for _ in range(stopped)]
        self.readers = [Reader(*join(kind, path, running=True)) for _ in range(running)]
        self._bare = kind == "bare"
        self._selector = selectors.EpollSelector()
        for reader in self.readers:
            self._selector.register(reader.sock, selectors.EVENT_READ, reader)
        self._selector.register(self.control, selectors.EVENT_READ)

    def order(self, order: Order) -> Report:
        """Have events made, and read until everybody has all of them."""
        for reader in self.readers:
            reader.begin(order.events)
        self.control.sendall(msgspec.json.encode(order) + b"\n")
        told = b""
        while not told.endswith(b"\n") or any(reader.wants for reader in self.readers):
            ready = self._selector.select(PATIENCE)
            if not ready:
                raise RuntimeError(
                    f"nothing for {PATIENCE} s: {[reader.wants for reader in self.readers]} are missing"
                )
            for key, _ in ready:
                if key.data is None:
                    told += self.control.recv(262144)
                else:
                    key.data.take()
        for reader in self.readers:
            reader.check(self._bare)
        return msgspec.json.decode(told, type=Report)


def rate(crowd: Crowd, order: Order) -> float:
    """Events a second from the order until the last reader had the last one; the source's own with none."""
    begun = time.perf_counter()
    report = crowd.order(order)
    ended = max((reader.times[-1][1] for reader in crowd.readers), default=report.at[-1][1])
    return order.events / (ended - begun)


def waits(crowd: Crowd, order: Order) -> list[float]:
    """Handed over → read, of each event at each reader."""
    report = crowd.order(order)
    took: list[float] = []
    for reader in crowd.readers:
        arrived = iter(reader.times)
        count, at = next(arrived)
        for number, handed_over in report.at:
            while count < number:
                count, at = next(arrived)
            took.append(at - handed_over)
    return took


def main(
    kind: str, path: str, control: str, pid: int, running: int, stopped: int, orders: list[Order]
) -> None:
    before = Memory.of(pid).anonymous
    crowd = Crowd(kind, path, control, running, stopped)
    many, singles = orders
    found = {"rate": rate(crowd, many), "p50": 0.0, "p99": 0.0}
    if running:
        took = waits(crowd, singles)
        found |= {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}
    lagged = sum(reader.lagged for reader in crowd.readers)
    say(found | {"lagged": lagged, "before": before, "after": Memory.of(pid).anonymous})


if __name__ == "__main__":
    kind, path, control, *numbers = sys.argv[1:]
    pid, running, stopped, events, batch, singles = map(int, numbers[:6])
    orders = [Order(events, batch), Order(singles, 1, float(numbers[6]))]
    main(kind, path, control, pid, running, stopped, orders)
