"""One client's connection: reads messages, runs their calls at the same time, writes answers.

The reading is a role, not a task: whichever task holds it runs each call in place, and
gives the role away when a call has to wait (`inline`). The task of a role has one cancel
scope, which from then on is the call's. Calls are never cancelled because their client
went: what was asked is done. Invariants: at most `calls_in_flight` calls
run, the next one is not read before; while too much waits to be written nothing is read;
each call is answered exactly once, in any order, unless the connection broke.
"""

import logging
import secrets
import socket
from collections.abc import Coroutine
from typing import Any

import trio

from kezd.api.events import STOPPING
from kezd.errors import RequestError, Slug
from kezd.rpc.descriptors import ANCILLARY_BYTES, CLOSE_ON_EXEC, TRUNCATED, Bundle, Descriptors
from kezd.rpc.dispatch import CANCEL, Dispatcher
from kezd.rpc.framing import Framing, FramingError, LineFraming, choose_framing
from kezd.rpc.inline import run_inline
from kezd.rpc.outbox import WRITE_TIMEOUT, BrokenConnectionError, Outbox
from kezd.rpc.peercred import Caller, executable_of
from kezd.rpc.ports import Grant, Peer
from kezd.rpc.progress import Progresses
from kezd.rpc.replies import encode_error, encode_malformed, encode_notification
from kezd.rpc.requests import Call, Malformed, NoId, Parsed, parse_message
from kezd.rpc.running import Running
from kezd.rpc.session import Session
from kezd.rpc.subscriptions import Subscriptions
from kezd.runtime.settings import RpcSettings

log = logging.getLogger(__name__)

RECEIVE_BYTES = 64 * 1024
CONNECTION_BYTES = 6
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
        self._running = Running()
        self._role_scope = trio.CancelScope()
        self._in_hand: Call | None = None
        """What the reading task runs in place; None for a batch."""
        self._descriptors = Descriptors()
        self._messages_taken = 0
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
                    self._running,
                    secrets.token_hex(CONNECTION_BYTES),
                    executable_of(self._caller),
                    lambda grant: nursery.start_soon(self._end_with, grant),
                )
                nursery.start_soon(self._write)
                nursery.start_soon(self._read)
                await self._finished.wait()
                with trio.move_on_after(CLOSE_GRACE):
                    await self._outbox.wait_empty()
                nursery.cancel_scope.cancel()
        finally:
            self._session.leaving.close()
            self._descriptors.close()
            self._sock.close()

    def stop(self) -> None:
        """Tell the client that the daemon stops, and read no more; running calls are still answered."""
        self._notify(STOPPING, {})
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            self._finished.set()

    async def _end_with(self, grant: Grant) -> None:
        """End the connection with its token: nothing more is read, running calls have a moment to end."""
        await grant.wait_over()
        log.info("a connection ends with its token", extra={"token": grant.name, "pid": self._caller.pid})
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError as error:
            log.debug("a client was gone already", extra={"cause": str(error)})
        await trio.sleep(CLOSE_GRACE)
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
        scope = self._role_scope = trio.CancelScope()
        stopped = False
        try:
            with scope:
                await self._hold_role()
            stopped = scope.cancelled_caught
        except ExceptionGroup as group:  # some tasks of a call were cancelled, and others failed just then
            if not scope.cancel_called:
                raise
            log.warning("a call failed while it was cancelled", exc_info=group)
            stopped = True
        finally:
            cancelled = self._running.remove(scope)
        if stopped and cancelled is not None:
            self._outbox.put(self._wrap(encode_error(RequestError(Slug.CANCELLED), cancelled.id)))
            self._outbox.flush()
            self._finish_if_done()

    async def _hold_role(self) -> None:
        while self._reading:
            try:
                while (message := self._framing.next_message()) is not None:
                    if await self._take(message):
                        return
                self._outbox.flush()
                if not await self._receive():
                    break
            except FramingError as error:
                self._refuse_stream(
                    RequestError(Slug.TOO_LARGE if error.too_large else Slug.INVALID_ARGUMENT, str(error))
                )
                break
            except RequestError as error:
                self._refuse_stream(error)
                break
        self._reading = False
        self._session.gone.set()
        self._finish_if_done()

    async def _receive(self) -> bool:
        """Take in what has come; False at the end of the stream."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                data, ancillary, flags, _ = self._sock.recvmsg(RECEIVE_BYTES, ANCILLARY_BYTES, CLOSE_ON_EXEC)
            except BlockingIOError:
                continue
            except OSError:
                return False
            if not data:
                return False
            if not self._framing_known:
                self._framing = choose_framing(data, self._limits.line_bytes)
                self._framing_known = True
            if ancillary or flags & TRUNCATED:
                self._descriptors.receive(ancillary, flags)
                self._framing.feed(data)
                self._descriptors.await_message(self._messages_taken, self._framing.begun())
            else:
                self._framing.feed(data)
            return True

    def _refuse_stream(self, error: RequestError) -> None:
        self._outbox.put(self._wrap(encode_error(error, None)))
        self._outbox.flush()

    async def _take(self, message: bytes) -> bool:
        """Run what a message asks for; True when that took this task, and another reads on."""
        if self._outbox.full:
            await self._outbox.wait_room()
        parsed = parse_message(message, self._limits.batch)
        self._messages_taken += 1
        bundle = self._descriptors.of(self._messages_taken) if self._descriptors.waiting else None
        try:
            if isinstance(parsed, list):
                self._in_hand = None
                return await self._here(self._answer_batch(parsed, bundle))
            if isinstance(parsed, Malformed):
                self._outbox.put(self._wrap(encode_malformed(parsed)))
                return False
            if not self._free_slots and parsed.method != CANCEL:
                self._outbox.flush()
                await self._wait_slot()
            self._in_hand = parsed
            return await self._here(self._answer(parsed, bundle))
        finally:
            if bundle is not None:
                bundle.close()

    async def _here(self, work: Coroutine[Any, Any, bytes | None]) -> bool:
        self._open_work += 1
        try:
            answer, role_given_away = await run_inline(work, self._give_role_away)
        finally:
            self._open_work -= 1
        if answer is not None:
            self._outbox.put(self._wrap(answer))
        if role_given_away:
            self._outbox.flush()
            self._finish_if_done()
        return role_given_away

    def _give_role_away(self) -> None:
        call = self._in_hand
        if call is not None:
            self._running.add(self._role_scope, call, stoppable=self._dispatcher.stoppable(call.method))
        self._nursery.start_soon(self._read)

    async def _wait_slot(self) -> None:
        while not self._free_slots:
            if self._slot_freed.is_set():  # a new one for all who wait from now on
                self._slot_freed = trio.Event()
            await self._slot_freed.wait()

    async def _answer(self, call: Call, bundle: Bundle | None) -> bytes | None:
        session = self._session
        if bundle is not None and session.bound is not None:
            # Not before `session.initialize`, which a copy would keep to itself.
            session = session.with_descriptors(bundle)
        self._free_slots -= 1
        try:
            return await self._dispatcher.answer(session, call)
        finally:
            self._free_slots += 1
            self._slot_freed.set()

    async def _answer_batch(self, parsed: list[Parsed], bundle: Bundle | None) -> bytes | None:
        answers: list[bytes | None] = [None] * len(parsed)

        async def run_member(place: int, call: Call) -> None:
            with trio.CancelScope() as scope:
                self._running.add(scope, call, stoppable=self._dispatcher.stoppable(call.method))
                try:
                    if call.method != CANCEL:
                        await self._wait_slot()
                    answers[place] = await self._answer(call, bundle)
                finally:
                    self._running.remove(scope)
            if scope.cancelled_caught and not isinstance(call.id, NoId):
                answers[place] = encode_error(RequestError(Slug.CANCELLED), call.id)

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
