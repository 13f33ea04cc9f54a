"""Run a coroutine in the current task, and learn the moment it first has to wait.

Most calls need no waiting at all; a task for each would cost more than they do. So the
task that reads a connection runs each call itself, and when a call blocks, that task
stays with the call and a new one takes over the reading (`on_block`). A coroutine cannot
move between tasks, a role can.
"""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def run_inline(
    coroutine: Coroutine[Any, Any, T], on_block: Callable[[], object]
) -> Generator[Any, Any, tuple[T, bool]]:
    """Await `coroutine`; `on_block()` is called once, before it waits for the first time.

    `on_block` must not raise. Never called when the coroutine ends without waiting.

    Returns:
        The coroutine's result, and whether it had to wait.
    """
    try:
        trap = coroutine.send(None)
    except StopIteration as stop:
        return stop.value, False
    on_block()
    while True:
        try:
            sent = yield trap
        except BaseException as error:  # noqa: ASYNC103, BLE001 - handed on to the coroutine, as `yield from` does
            step: Callable[[], Any] = _thrower(coroutine, error)
        else:
            step = _sender(coroutine, sent)
        try:
            trap = step()
        except StopIteration as stop:
            return stop.value, True


def _sender(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _thrower(coroutine: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)
