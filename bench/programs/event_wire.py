"""What the sources of events and their readers have in common: the order, the body, the line of one event."""

import msgspec

TEXT = "x" * 256
EPOCH = "0" * 16
ID = "0123456789abcdef" * 2
PRIMARY = "ed25519:" + "ab" * 32
EVENT = b'"method":"event",'
RUNNING, STOPPED = b"running\n", b"stopped\n"
"""What a reader tells the baseline, which sends nothing to those who will not read."""


class Order(msgspec.Struct):
    """So many events, `batch` at once, `pause` seconds between two batches."""

    events: int
    batch: int
    pause: float = 0.0


class Report(msgspec.Struct):
    """After each batch: events so far, and when (`time.perf_counter`) they were handed over."""

    at: list[tuple[int, float]]


def event_body(number: int) -> dict[str, object]:
    """Of a message that came in, as the chat announces it."""
    return {
        "type": "received",
        "message": {
            "id": ID, "contact": PRIMARY, "handle": "friend@kez.test", "direction": "in", "kind": "text",
            "text": TEXT, "sent_at": 1_700_000_000_000, "arrived_at": 1_700_000_000_000, "state": "received",
            "position": number,
        },
    }  # fmt: skip


def event_line(number: int) -> bytes:
    """The notification of such an event as a subscriber gets it."""
    params = {
        "subscription": "s1", "epoch": EPOCH, "seq": number, "topic": "message", "event": event_body(number)
    }  # fmt: skip
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "event", "params": params}) + b"\n"
