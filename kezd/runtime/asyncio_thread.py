"""One asyncio loop in one thread, driven from Trio: the only bridge between the two.

Libraries that exist for asyncio alone (nats-py) live on this loop. Trio keeps the main
thread, the signals and the shutdown. What crosses is plain function calls, in both
directions in order and coalesced: many calls made in one turn wake the other side once.
Not a place for logic, and not a general executor.

Invariants: `ask` and `call` are cancel-safe (a cancelled question is cancelled on the
loop and waited for, so nothing of it runs on afterwards); a question still open when the
loop ends fails with `LoopClosedError`, so nobody waits forever; callables handed to
`to_loop` and `to_trio` do not raise.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, NoReturn, Self, TypeVar, TypeVarTuple

import outcome
import trio
import uvloop

log = logging.getLogger(__name__)

JOIN_GRACE = 5.0
"""Seconds a loop gets to end before its (daemon) thread is left behind."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
RaiseCancel = Callable[[], NoReturn]


class LoopClosedError(Exception):
    """The asyncio loop has ended; nothing can be asked of it any more."""


class Reply(Generic[T]):
    """The way back for one question: settled in the loop's thread, the first time counts."""

    __slots__ = ("_crossing", "_task", "raise_cancel", "settled")

    def __init__(self, crossing: "LoopThread", task: trio.lowlevel.Task) -> None:
        self._crossing = crossing
        self._task = task
        self.raise_cancel: RaiseCancel | None = None
        self.settled = False

    def set_result(self, value: T) -> None:
        """Answer with `value`."""
        self._settle(outcome.Value(value))

    def set_error(self, error: BaseException) -> None:
        """Answer by raising `error` in the asking task."""
        self._settle(outcome.Error(error))

    def set_cancelled(self) -> None:
        """Confirm that nothing of the question runs any more."""
        self._settle(None)

    def _settle(self, result: "outcome.Outcome[T] | None") -> None:
        if not self.settled:
            self.settled = True
            self._crossing.to_trio(self._wake, result)

    def _wake(self, result: "outcome.Outcome[T] | None") -> None:
        if self._crossing.forget(self):
            trio.lowlevel.reschedule(self._task, outcome.Value(result))


class LoopThread:
    """A running loop; `open` is the only way to one."""

    def __init__(self) -> None:
        self._trio_token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._main, name="asyncio", daemon=True)
        self._ready = trio.Event()
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._loop = self._runner.get_loop()
        self._stop = asyncio.Event()
        self._open_replies: set[Reply[Any]] = set()
        self._loop_queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._trio_queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._loop_woken = False
        self._trio_woken = False
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Run a loop for the length of the block; leftover tasks are cancelled and awaited."""
        self = cls()
        self._thread.start()
        try:
            await self._ready.wait()
            yield self
        finally:
            await self._close()  # noqa: ASYNC102 - shielded and bounded inside

    def to_loop(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run `function(*args)` on the loop soon, after what was handed over before. Trio's thread only."""
        self._loop_queue.append((function, args))
        if not self._loop_woken and not self._closed:
            self._loop_woken = True
            self._loop.call_soon_threadsafe(self._run_loop_queue)

    def to_trio(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run `function(*args)` in Trio's thread soon, in order. The loop's thread only."""
        self._trio_queue.append((function, args))
        if not self._trio_woken:
            self._trio_woken = True
            try:
                self._trio_token.run_sync_soon(self._run_trio_queue)
            except trio.RunFinishedError:
                self._trio_queue.clear()

    async def ask(self, start: Callable[[Reply[T]], None], cancel: Callable[[Reply[T]], None]) -> T:
        """Run `start(reply)` on the loop and wait until the reply is settled.

        Args:
            start: begins the work; settles the reply now or later.
            cancel: called on the loop when the waiting task is cancelled; must see to it
                that the reply is settled promptly (`set_cancelled`).

        Raises:
            LoopClosedError: the loop ended first.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise LoopClosedError
        reply: Reply[T] = Reply(self, trio.lowlevel.current_task())
        self._open_replies.add(reply)
        self.to_loop(start, reply)

        def abort(raise_cancel: RaiseCancel) -> trio.lowlevel.Abort:
            reply.raise_cancel = raise_cancel
            self.to_loop(cancel, reply)
            return trio.lowlevel.Abort.FAILED

        result: outcome.Outcome[T] | None = await trio.lowlevel.wait_task_rescheduled(abort)
        if result is not None:
            return result.unwrap()
        if reply.raise_cancel is not None:
            reply.raise_cancel()
        raise LoopClosedError

    async def call(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run the coroutine function on the loop as a task and return its result.

        Cancelling the caller cancels the task and waits for its end.

        Raises:
            LoopClosedError: the loop ended first.
        """
        tasks: list[asyncio.Task[T]] = []

        async def run() -> T:
            return await function(*args)

        def start(reply: Reply[T]) -> None:
            task = asyncio.get_running_loop().create_task(run())
            tasks.append(task)
            task.add_done_callback(lambda done: _settle_from(done, reply))

        def cancel(_reply: Reply[T]) -> None:
            for task in tasks:
                task.cancel()

        return await self.ask(start, cancel)

    def forget(self, reply: Reply[Any]) -> bool:
        """Strike the reply off the open ones; False if it was struck off before."""
        if reply in self._open_replies:
            self._open_replies.remove(reply)
            return True
        return False

    def _run_loop_queue(self) -> None:
        self._loop_woken = False  # before the first pop: what is appended later wakes us again
        queue = self._loop_queue
        try:
            while queue:
                function, args = queue.popleft()
                function(*args)
        finally:
            if queue and not self._loop_woken:  # one raised: the loop reports it, the rest still runs
                self._loop_woken = True
                self._loop.call_soon(self._run_loop_queue)

    def _run_trio_queue(self) -> None:
        self._trio_woken = False
        queue = self._trio_queue
        while queue:
            function, args = queue.popleft()
            function(*args)

    def _main(self) -> None:
        with self._runner:
            self._runner.run(self._wait_for_stop())

    async def _wait_for_stop(self) -> None:
        self.to_trio(self._ready.set)
        await self._stop.wait()

    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            await self._ready.wait()
            self.to_loop(self._stop.set)
            self._closed = True
            await trio.to_thread.run_sync(self._thread.join, JOIN_GRACE)
        if self._thread.is_alive():
            log.error("the asyncio loop did not end", extra={"grace": JOIN_GRACE})
        for reply in list(self._open_replies):
            reply._wake(outcome.Error(LoopClosedError()))  # noqa: SLF001 - the loop is gone, this thread settles


def _settle_from(task: "asyncio.Task[T]", reply: Reply[T]) -> None:
    if task.cancelled():
        reply.set_cancelled()
        return
    error = task.exception()
    if error is not None:
        reply.set_error(error)
    else:
        reply.set_result(task.result())
