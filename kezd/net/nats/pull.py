"""Pulling from the inbox: requests in flight, and how much may be out unacknowledged.

In the loop's thread. The window belongs to the transport and outlives connections; a puller
belongs to one connection. Invariant: what is asked for plus what is unacknowledged never
passes the window, so a peer that cannot store stops pulling, and the broker keeps the rest.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.msg import Msg

from kezd.net.nats.outgoing import NO_RESPONDERS, STATUS
from kezd.runtime.transport import Delivery

log = logging.getLogger(__name__)

BATCH = 256
"""Messages per request."""
REFILL_BELOW = 128
"""A further request goes out when fewer than this are still owed to us."""
REQUEST_BYTES = 4 * 1024 * 1024
EXPIRES = 60.0
"""Seconds a request lives at most."""
EXPIRES_PART = 0.25
"""And at most this part of the credential's life: a retiring connection waits for its requests."""
HEARTBEAT = 10.0
"""Seconds at most; this is how a dead broker is noticed while nothing is sent."""
SILENCE_GRACE = 2.0
ERROR_PAUSE = 1.0
"""Seconds before asking again after a request that ended with an error."""

HEARTBEAT_STATUS = "100"
TIMEOUT_STATUS = "408"
NORMAL_ENDS = frozenset({"Batch Completed", "Message Size Exceeds MaxBytes"})
"""How the server words the end of a request that has a byte limit (both are 409)."""
NANOSECONDS = 1_000_000_000


class PullWindow:
    """What was delivered and not yet acknowledged, at most 1,024 messages or 16 MiB."""

    MESSAGES = 1024
    BYTES = 16 * 1024 * 1024

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def add(self, token: str, size: int) -> None:
        """It was delivered."""
        self._sizes[token] = size
        self._bytes += size

    def release(self, token: str) -> None:
        """It was acknowledged."""
        self._bytes -= self._sizes.pop(token, 0)

    def room(self, owed: int, owed_bytes: int) -> int:
        """Messages that may still be asked for when that much is owed already."""
        if self._bytes + owed_bytes >= self.BYTES:
            return 0
        return self.MESSAGES - len(self._sizes) - owed

    def take_all(self) -> list[str]:
        """Everything unacknowledged; the window is empty afterwards."""
        tokens = list(self._sizes)
        self._sizes.clear()
        self._bytes = 0
        return tokens


@dataclass(slots=True)
class _Request:
    owed: int


class Puller:
    """The pull requests of one connection; `publish` and `lose` are the connection's."""

    def __init__(
        self,
        next_subject: str,
        inbox_prefix: str,
        window: PullWindow,
        *,
        publish: Callable[[str, bytes, str], None],
        deliver: Callable[[Delivery], None],
        lose: Callable[[str], None],
        now: Callable[[], float],
        credential_life: float,
    ) -> None:
        self.prefix = f"{inbox_prefix}.{secrets.token_hex(11)}."
        self._next_subject = next_subject
        self._window = window
        self._publish = publish
        self._deliver = deliver
        self._lose = lose
        self._now = now
        self._requests: dict[str, _Request] = {}
        self._count = 0
        self._paused = False
        self._expires = min(EXPIRES, max(credential_life, 0.4) * EXPIRES_PART)
        self._heartbeat = min(HEARTBEAT, self._expires * 0.4)  # the server wants less than half
        self._finished = asyncio.Event()
        self.stopped = False
        self.heard_at = asyncio.get_running_loop().time()

    @property
    def owed(self) -> int:
        """Messages asked for and not yet delivered."""
        return sum(request.owed for request in self._requests.values())

    @property
    def silent(self) -> bool:
        """Requests are out and not even a heartbeat came."""
        patience = 3 * self._heartbeat + SILENCE_GRACE
        return bool(self._requests) and asyncio.get_running_loop().time() - self.heard_at > patience

    def pump(self) -> None:
        """Ask for more, as far as the window allows."""
        while not self.stopped and not self._paused:
            owed = self.owed
            if owed >= REFILL_BELOW:
                return
            batch = min(self._window.room(owed, len(self._requests) * REQUEST_BYTES), BATCH)
            if batch <= 0 or (self._requests and batch < REFILL_BELOW):
                return
            self._ask(batch)

    def stop(self) -> None:
        """Ask for nothing more; what was asked for is still taken."""
        self.stopped = True
        self._note_finished()

    async def wait_finished(self) -> None:
        """After `stop`: wait until no request is open.

        A request cannot be taken back, and a message that the broker sends to a subscription
        just gone is not seen again before its `ack_wait` (10 s) is over.
        """
        async with asyncio.timeout(self._expires + SILENCE_GRACE):
            await self._finished.wait()

    async def on_message(self, msg: Msg) -> None:
        """The subscription's callback: a message, a heartbeat or a request's end."""
        self.heard_at = asyncio.get_running_loop().time()
        name = msg.subject[len(self.prefix) :]
        request = self._requests.get(name)
        headers = msg.headers or {}
        if STATUS in headers and not msg.data:
            self._on_status(name, headers[STATUS], headers.get("Description", ""))
            return
        if not msg.reply.startswith("$JS.ACK."):
            return
        if request is not None:
            request.owed -= 1
            if request.owed <= 0:
                del self._requests[name]
                self._note_finished()
        self._window.add(msg.reply, len(msg.data))
        self._deliver(Delivery(msg.data, self._now(), msg.reply))
        self.pump()

    def _ask(self, batch: int) -> None:
        self._count += 1
        name = f"{self._count:x}"
        if not self._requests:
            self.heard_at = asyncio.get_running_loop().time()
        self._requests[name] = _Request(batch)
        body = {
            "batch": batch,
            "max_bytes": REQUEST_BYTES,
            "expires": int(self._expires * NANOSECONDS),
            "idle_heartbeat": int(self._heartbeat * NANOSECONDS),
        }
        self._publish(self._next_subject, json.dumps(body).encode(), self.prefix + name)

    def _on_status(self, name: str, status: str, description: str) -> None:
        if status == HEARTBEAT_STATUS:
            return
        self._requests.pop(name, None)
        self._note_finished()
        if status == TIMEOUT_STATUS or description in NORMAL_ENDS:
            self.pump()
        elif status == NO_RESPONDERS or "Consumer Deleted" in description:
            self._lose(f"the inbox consumer is gone ({description or status})")
        else:
            log.warning("pull request ended", extra={"status": status, "description": description})
            self._pause()

    def _note_finished(self) -> None:
        if self.stopped and not self._requests:
            self._finished.set()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            asyncio.get_running_loop().call_later(ERROR_PAUSE, self._resume)

    def _resume(self) -> None:
        self._paused = False
        self.pump()
