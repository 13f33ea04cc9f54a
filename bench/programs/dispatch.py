"""What jsonrpcserver costs: calls through the dispatcher as it is, or past jsonrpcserver.

`python -m bench.programs.dispatch KIND SECONDS METHOD…`. KIND `kezd` is `Dispatcher.answer`; `bare` looks the
method up in a dictionary, runs the same checks and the same handler, and encodes the same answer. Both
read the request from bytes, in one process, with a peer in memory behind them. Says calls a second of each
method.
"""

import gc
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from bench.programs.speech import say
from kezd.api.methods import METHODS, Scope
from kezd.daemon.lifecycle import COLLECTOR_THRESHOLDS
from kezd.errors import KezdError
from kezd.rpc.dispatch import BoundMethod, Dispatcher
from kezd.rpc.handlers.summaries import SUMMARIES
from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.once import Keys
from kezd.rpc.outbox import Outbox
from kezd.rpc.peercred import Caller
from kezd.rpc.progress import Progresses
from kezd.rpc.replies import encode_error, encode_success, report_bug
from kezd.rpc.requests import Call, NoId, parse_message
from kezd.rpc.running import Running
from kezd.rpc.session import Session
from kezd.rpc.subscriptions import Subscriptions
from kezd.runtime.clock import SystemClock
from kezd.runtime.settings import RpcSettings
from kezd.services.access import Confirmations, Tokens
from kezd.testing.memory_peer import MemoryPeer

PARAMS = {
    "daemon.version": b"{}",
    "chat.history": b'{"contact":"@bob","limit":50}',
    "chat.send": b'{"to":"@bob","text":"%b","idempotency_key":"k"}' % (b"x" * 256),
}
STEP = 200
"""Calls between two looks at the clock."""
BATCH = 100
Answer = Callable[[Session, Call], Awaitable[bytes | None]]


class BareDispatcher:
    """A dictionary in place of jsonrpcserver; everything else is the real one's."""

    def __init__(self) -> None:
        keys = Keys()
        self._methods = {
            method.name: BoundMethod(method, HANDLERS[method.name], keys, SUMMARIES.get(method.name))
            for method in METHODS
        }

    async def answer(self, session: Session, call: Call) -> bytes | None:
        """As `Dispatcher.answer`."""
        if isinstance(call.id, NoId):
            return None
        try:
            return encode_success(await self._methods[call.method]._run(session, call.params), call.id)
        except KezdError as error:
            return encode_error(error, call.id)
        except Exception as error:  # noqa: BLE001 - as the real one does
            return encode_error(report_bug(error, call.method), call.id)


def new_session(peer: MemoryPeer, nursery: trio.Nursery, sock: socket.socket) -> Session:
    outbox = Outbox(sock)
    session = Session(
        peer,
        RpcSettings(),
        Caller(0, 0, 0),
        Subscriptions(nursery, outbox, bytes),
        Progresses(nursery, outbox, bytes),
        lambda _method, _params: None,
        Running(),
        "bench",
        sys.executable,
        lambda _grant: None,
        scope=Scope.FULL,
    )
    session.bound = peer.default
    return session


async def measure(answer: Answer, session: Session, request: bytes, seconds: float) -> float:
    """Calls a second."""
    calls = 0
    begun = now = time.perf_counter()
    while now - begun < seconds:
        for _ in range(STEP):
            call = parse_message(request, BATCH)
            assert isinstance(call, Call)
            answered = await answer(session, call)
        assert answered is not None
        if b'"result"' not in answered:
            raise RuntimeError(answered)
        session.peer.default.sent.clear()
        session.peer.default.audit.rows.clear()
        calls += STEP
        now = time.perf_counter()
    return calls / (now - begun)


async def main(kind: str, seconds: str, *methods: str) -> None:
    gc.set_threshold(*COLLECTOR_THRESHOLDS)  # as the daemon does
    answer = {"kezd": Dispatcher(HANDLERS, METHODS, SUMMARIES).answer, "bare": BareDispatcher().answer}[kind]
    clock, (ours, theirs) = SystemClock(), socket.socketpair()
    with TemporaryDirectory(prefix="kezd-bench-") as directory, ours, theirs:
        async with Tokens.open(Path(directory), clock) as tokens, trio.open_nursery() as nursery:
            session = new_session(MemoryPeer(tokens, Confirmations(clock, 60.0)), nursery, ours)
            found = {}
            for method in methods:
                request = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}' % (
                    method.encode(),
                    PARAMS[method],
                )
                await measure(answer, session, request, float(seconds) / 4)
                found[method] = await measure(answer, session, request, float(seconds))
            say(found)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
