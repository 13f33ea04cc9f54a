"""Messages from one peer to another, sent and seen through their sockets.

`python -m bench.programs.chat_load MODE FROM_SOCKET TO_SOCKET HANDLE COUNT BYTES CONNECTIONS`. MODE
`pipelined`: `chat.send` with idempotency keys, as many in flight as the daemon lets on so many connections; says seconds until all were
answered, had come in, and had their delivered receipt. MODE `single`: the next one goes out when
the one before has its receipt; says p50 and p99 of send → notification and send → receipt.
Fails when a message is lost, doubled, or refused.
"""

import selectors
import sys
import time
import uuid

from bench.figures import percentile
from bench.programs.chat_wire import Line, Wire, request
from bench.programs.speech import say

SETTLE = 20
"""First messages of `single` that are not counted."""
PATIENCE = 60.0
"""Seconds without anything new after which the run has failed."""
CONFIRMED = ("delivered", "read")


class Watch:
    """One side's message events."""

    def __init__(self, path: str) -> None:
        self.wire = Wire(path)
        self.wire.subscribe()
        self.wire.unblock()
        self.ids: set[str] = set()
        self.last_at = 0.0

    def take(self, lines: list[Line], kind: str, states: tuple[str, ...]) -> None:
        for line in lines:
            if line.error is not None:
                raise RuntimeError(bytes(line.error))
            if line.method == "events.lagged" and line.params is not None:
                self.wire.resume(line.params.last_seq)
            event = line.params.event if line.params is not None else None
            if event is None or event.message is None or event.type != kind:
                continue
            if event.message.state not in states:
                continue
            if event.message.id in self.ids and kind == "received":
                raise RuntimeError(f"shown twice: {event.message.id}")
            self.ids.add(event.message.id)
            self.last_at = time.perf_counter()


class Run:
    """Both sides and the sending connection, driven by one selector."""

    def __init__(self, sender: str, receiver: str, connections: int) -> None:
        self.sending = [Wire(sender) for _ in range(connections)]
        for wire in self.sending:
            wire.unblock()
        self.confirmed, self.received = Watch(sender), Watch(receiver)
        self.sent: set[str] = set()
        self.answered_at = 0.0
        self._selector = selectors.EpollSelector()
        for wire in (*self.sending, self.confirmed.wire, self.received.wire):
            self._selector.register(wire, selectors.EVENT_READ, wire)

    def step(self) -> None:
        """Wait for something and take it."""
        for wire in (*self.sending, self.confirmed.wire, self.received.wire):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.wants_to_send else 0)
            self._selector.modify(wire, events, wire)
        ready = self._selector.select(PATIENCE)
        if not ready:
            raise RuntimeError(
                f"nothing for {PATIENCE} s: {len(self.sent)} sent, {len(self.received.ids)} received,"
                f" {len(self.confirmed.ids)} confirmed"
            )
        for key, what in ready:
            if what & selectors.EVENT_WRITE:
                key.data.push()
            if what & selectors.EVENT_READ:
                self._take(key.data)

    def _take(self, wire: Wire) -> None:
        lines = wire.pull()
        if wire is self.received.wire:
            self.received.take(lines, "received", ("received",))
        elif wire is self.confirmed.wire:
            self.confirmed.take(lines, "state", CONFIRMED)
        else:
            for line in lines:
                if line.error is not None or line.result is None or line.result.message is None:
                    raise RuntimeError(f"refused: {bytes(line.error or b'')!r}")
                self.sent.add(line.result.message.id)
                self.answered_at = time.perf_counter()

    def check(self) -> None:
        """Everything sent arrived and was confirmed, and nothing else did."""
        if not self.sent == self.received.ids == self.confirmed.ids:
            raise RuntimeError("the ids of the two sides differ")


def send(number: int, handle: str, text: str) -> bytes:
    params = {"to": handle, "text": text, "idempotency_key": uuid.uuid4().hex}
    return request(number, "chat.send", params)


def pipelined(run: Run, handle: str, count: int, text: str) -> dict[str, float]:
    for place, wire in enumerate(run.sending):
        wire.put(b"".join(send(number, handle, text) for number in range(place, count, len(run.sending))))
    begun = time.perf_counter()
    while min(len(run.sent), len(run.received.ids), len(run.confirmed.ids)) < count:
        run.step()
    run.check()
    return {
        "answered": run.answered_at - begun,
        "received": run.received.last_at - begun,
        "confirmed": run.confirmed.last_at - begun,
    }


def single(run: Run, handle: str, count: int, text: str) -> dict[str, float]:
    arrival, receipt = [], []
    for number in range(1, count + SETTLE + 1):
        line = send(number, handle, text)
        begun = time.perf_counter()
        run.sending[0].put(line)
        while min(len(run.sent), len(run.received.ids), len(run.confirmed.ids)) < number:
            run.step()
        arrival.append(run.received.last_at - begun)
        receipt.append(run.confirmed.last_at - begun)
    run.check()
    del arrival[:SETTLE], receipt[:SETTLE]
    return {
        "arrival_p50": percentile(arrival, 0.5),
        "arrival_p99": percentile(arrival, 0.99),
        "receipt_p50": percentile(receipt, 0.5),
        "receipt_p99": percentile(receipt, 0.99),
    }


MODES = {"pipelined": pipelined, "single": single}

if __name__ == "__main__":
    mode, sender, receiver, handle, count, size, connections = sys.argv[1:]
    say(MODES[mode](Run(sender, receiver, int(connections)), handle, int(count), "x" * int(size)))
