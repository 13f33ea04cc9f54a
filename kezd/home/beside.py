"""A task that runs beside a block, for exactly as long as the block does.

A task that fails is a bug: the block is cancelled and the task's own error comes out, so that the
process ends and is started again. What the block itself raises passes through unchanged.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running_beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run `work` until the block ends, then cancel it.

    Raises:
        Exception: whatever `work` failed with.
    """
    owner = asyncio.current_task()
    assert owner is not None, "a coroutine runs in a task"
    task = asyncio.create_task(work, name=name)

    def on_done(_: asyncio.Task[None]) -> None:
        if _failure(task) is not None:
            owner.cancel()

    task.add_done_callback(on_done)
    try:
        yield
    except asyncio.CancelledError:
        failure = _failure(task)
        if failure is None:
            raise
        owner.uncancel()
        raise failure from None
    finally:
        task.remove_done_callback(on_done)
        task.cancel()
        await asyncio.wait([task])
    failure = _failure(task)
    if failure is not None:
        raise failure


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None
