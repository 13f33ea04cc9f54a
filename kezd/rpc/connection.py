"""One client's connection: reads messages, runs their calls at the same time, writes answers.

The reading is a role, not a task: whichever task holds it runs each call in place, and
gives the role away when a call has to wait (`inline`). Calls are never cancelled because
their client went: what was asked is done. Invariants: at most `calls_in_flight` calls
run, the next one is not read before; while too much waits to be written nothing is read;
each call is answered exactly once, in any order, unless the connection broke.
"""

import logging
import socket
from collections.abc import Coroutine
from typing import Any

import trio

from kezd.api.events import STOPPING
from kezd.errors import RequestError, Slug
from kezd.rpc.dispatch import Dispatcher
from kezd.rpc.framing import Framing, FramingError, LineFraming, choose_framing
from kezd.rpc.inline import run_inline
from kezd.rpc.outbox import WRITE_TIMEOUT, BrokenConnectionError, Outbox
from kezd.rpc.peercred import Caller
from kezd.rpc.ports import Peer
from kezd.rpc.progress import Progresses
from kezd.rpc.replies import encode_error, encode_malformed, encode_notification
from kezd.rpc.requests import Call, Malformed, Parsed, parse_message
from kezd.rpc.session import Session
from kezd.rpc.subscriptions import Subscriptions
from kezd.runtime.settings import RpcSettings

log = logging.getLogger(__name__)

RECEIVE_BYTES = 64 * 1024
CLOSE_GRACE = 2.0
"""Seconds that the last answers get to leave."""


class Connection:
    """One accepted socket. `run` is its whole life."""

    def __init__(
        self,
        sock: socket.socket,
        caller: Caller,
        peer: Peer,
        dispatcher: Dispatcher,
        limits: RpcSettings,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._caller = caller
        self._peer = peer
        self._dispatcher = dispatcher
        self._limits = limits
        self._outbox = Outbox(sock, write_timeout)
        self._framing: Framing = LineFraming(limits.line_bytes)
        self._framing_known = False
        self._free_slots = limits.calls_in_flight
        self._slot_freed = trio.Event()
        self._open_work = 0
        self._reading = True
        self._finished = trio.Event()

    async def run(self) -> None:
        """Serve until the client is done or gone; closes the socket."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._session = Session(
                    self._peer,
                    self._limits,
                    self._caller,
                    Subscriptions(nursery, self._outbox, self._wrap),
                    Progresses(nursery, self._outbox, self._wrap),
                    self._notify,
                )
                nursery.start_soon(self._write)
                nursery.start_soon(self._read)
                await self._finished.wait()
                with trio.move_on_after(CLOSE_GRACE):
                    await self._outbox.wait_empty()
                nursery.cancel_scope.cancel()
        finally:
            self._sock.close()

    def stop(self) -> None:
        """Tell the client that the daemon stops, and read no more; running calls are still answered."""
        self._notify(STOPPING, {})
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            self._finished.set()

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._outbox.put(self._wrap(encode_notification(method, params)))
        self._outbox.flush()

    def _wrap(self, payload: bytes) -> bytes:
        return self._framing.wrap(payload)

    async def _write(self) -> None:
        try:
            await self._outbox.run()
        except BrokenConnectionError:
            log.debug("a client went away or read nothing")
            self._reading = False
            self._finish_if_done()
            # Wakes the reader: nothing can be answered any more.
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            log.debug("a client was gone already", extra={"cause": str(error)})

    async def _read(self) -> None:
        """Hold the reading role until the stream ends or a call takes this task for itself."""
        while self._reading:
            try:
                while (message := self._framing.next_message()) is not None:
                    if await self._take(message):
                        return
                self._outbox.flush()
                data = await self._receive()
                if not data:
                    break
                self._feed(data)
            except FramingError as error:
                self._refuse_stream(error)
                break
        self._reading = False
        self._finish_if_done()

    async def _receive(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                return self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return b""

    def _feed(self, data: bytes) -> None:
        if not self._framing_known:
            self._framing = choose_framing(data, self._limits.line_bytes)
            self._framing_known = True
        self._framing.feed(data)

    def _refuse_stream(self, error: FramingError) -> None:
        slug = Slug.TOO_LARGE if error.too_large else Slug.INVALID_ARGUMENT
        self._outbox.put(self._wrap(encode_error(RequestError(slug, str(error)), None)))
        self._outbox.flush()

    async def _take(self, message: bytes) -> bool:
        """Run what a message asks for; True when that took this task, and another reads on."""
        if self._outbox.full:
            await self._outbox.wait_room()
        parsed = parse_message(message, self._limits.batch)
        if isinstance(parsed, list):
            return await self._here(self._answer_batch(parsed))
        if isinstance(parsed, Malformed):
            self._outbox.put(self._wrap(encode_malformed(parsed)))
            return False
        if not self._free_slots:
            self._outbox.flush()
            await self._wait_slot()
        return await self._here(self._answer(parsed))

    async def _here(self, work: Coroutine[Any, Any, bytes | None]) -> bool:
        self._open_work += 1
        answer, role_given_away = await run_inline(work, self._give_role_away)
        self._open_work -= 1
        if answer is not None:
            self._outbox.put(self._wrap(answer))
        if role_given_away:
            self._outbox.flush()
            self._finish_if_done()
        return role_given_away

    def _give_role_away(self) -> None:
        self._nursery.start_soon(self._read)

    async def _wait_slot(self) -> None:
        while not self._free_slots:
            if self._slot_freed.is_set():  # a new one for all who wait from now on
                self._slot_freed = trio.Event()
            await self._slot_freed.wait()

    async def _answer(self, call: Call) -> bytes | None:
        self._free_slots -= 1
        try:
            return await self._dispatcher.answer(self._session, call)
        finally:
            self._free_slots += 1
            self._slot_freed.set()

    async def _answer_batch(self, parsed: list[Parsed]) -> bytes | None:
        answers: list[bytes | None] = [None] * len(parsed)

        async def run_member(place: int, call: Call) -> None:
            await self._wait_slot()
            answers[place] = await self._answer(call)

        self._session.subscriptions.hold()
        try:
            async with trio.open_nursery() as nursery:
                for place, member in enumerate(parsed):
                    if isinstance(member, Malformed):
                        answers[place] = encode_malformed(member)
                    else:
                        nursery.start_soon(run_member, place, member)
        finally:
            self._session.subscriptions.release()
        given = [answer for answer in answers if answer is not None]
        return b"[" + b",".join(given) + b"]" if given else None

    def _finish_if_done(self) -> None:
        if not self._reading and not self._open_work:
            self._finished.set()
