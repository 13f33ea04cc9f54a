"""Keeps a peer busy: pipelined `chat.send`, and subscribers that read what comes of it.

`python -m bench.programs.chat_busy SOCKET HANDLE BYTES CONNECTIONS WINDOW SUBSCRIBERS`. WINDOW calls are in
flight on each connection. Says a line when it is under way; when it is told anything it sends no more,
waits until nothing comes any longer, and says `{sent, delivered, seconds}`: texts answered and event
lines read until it was told, in so many seconds.
"""

import selectors
import sys
import time
import uuid

from bench.programs.chat_wire import Wire, request
from bench.programs.event_load import Reader, join
from bench.programs.speech import say

UNDER_WAY = 200
"""Texts sent before the bench is told to begin."""
QUIET = 0.5
"""Seconds without an event after which all that was sent has ended."""
PATIENCE = 60.0


class Busy:
    """Sending connections and subscribers in one selector."""

    def __init__(
        self, path: str, handle: str, text: str, connections: int, window: int, subscribers: int
    ) -> None:
        self._handle, self._text = handle, text
        self.sent = self.delivered = self._under_way = 0
        self._selector = selectors.EpollSelector()
        self._readers = [Reader(*join("kezd", path, running=True)) for _ in range(subscribers)]
        for reader in self._readers:
            self._selector.register(reader.sock, selectors.EVENT_READ, reader)
        self._wires = [Wire(path) for _ in range(connections)]
        for wire in self._wires:
            wire.unblock()
            self._selector.register(wire, selectors.EVENT_READ, wire)
            self._send(wire, window)
        self._selector.register(sys.stdin.buffer, selectors.EVENT_READ)

    def run(self) -> float:
        """Until the bench says something; seconds since it was told that all is under way."""
        begun = 0.0
        while True:
            for key, _ in self._ready(PATIENCE):
                if key.data is None:
                    return time.perf_counter() - begun
                self._take(key.data, again=True)
            if not begun and self.sent >= UNDER_WAY:
                begun = time.perf_counter()
                self.sent = self.delivered = 0
                say({"ready": True})

    def settle(self) -> None:
        """Send nothing more, and read until nothing comes."""
        self._selector.unregister(sys.stdin.buffer)
        while ready := self._ready(PATIENCE if self._under_way else QUIET):
            for key, _ in ready:
                self._take(key.data, again=False)

    def _ready(self, patience: float) -> list[tuple[selectors.SelectorKey, int]]:
        for wire in self._wires:
            if wire.wants_to_send:
                wire.push()
        ready = self._selector.select(patience)
        if not ready and patience == PATIENCE:
            raise RuntimeError(f"nothing for {PATIENCE} s, {self._under_way} calls wait")
        return ready

    def _take(self, who: Wire | Reader, *, again: bool) -> None:
        if isinstance(who, Reader):
            self.delivered -= who.wants
            who.take()
            self.delivered += who.wants
            who.times.clear()
            return
        lines = who.pull()
        for line in lines:
            if line.error is not None:
                raise RuntimeError(bytes(line.error))
        self.sent += len(lines)
        self._under_way -= len(lines)
        if again:
            self._send(who, len(lines))

    def _send(self, wire: Wire, count: int) -> None:
        for _ in range(count):
            params = {"to": self._handle, "text": self._text, "idempotency_key": uuid.uuid4().hex}
            wire.put(request(1, "chat.send", params))
        self._under_way += count
        wire.push()


def main(path: str, handle: str, numbers: list[int]) -> None:
    size, connections, window, subscribers = numbers
    busy = Busy(path, handle, "x" * size, connections, window, subscribers)
    seconds = busy.run()
    found = {"sent": busy.sent, "delivered": -busy.delivered, "seconds": seconds}
    busy.settle()
    say(found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(number) for number in sys.argv[3:]])
