"""One effect for each idempotency key: repeated calls get the first one's answer.

For methods whose service does not keep the answer in the transaction of its effect. Such a
method has to come to the same state when it is run again, as a daemon killed between the
two runs it again. Invariants: of two calls with one key at the same time the second waits
for the first; what failed without changing anything is not remembered; what has been done is
remembered even when its call is cancelled just then.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import trio

from kezd.api import types as t
from kezd.errors import KezdError, Slug, error_for
from kezd.rpc.ports import Profile

REMEMBERING = 5.0
"""Seconds that keeping an answer may take when its call is being stopped."""
_ERROR: Final = "$error"
"""Member under which an error is kept; no result has a member of that name."""


class Keys:
    """The keys of calls under way, over all connections."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, str], trio.Event] = {}

    async def run(
        self, profile: Profile, key: str, once: Any, work: Callable[[], Awaitable[t.Result]]
    ) -> Any:
        """The answer remembered for `once`, or that of `work`, which is remembered from then on.

        Raises:
            RequestError: `idempotency_conflict`.
            KezdError: what `work` raises, or what it raised after it had changed something.
        """
        place = (profile.name, key)
        while (under_way := self._under_way.get(place)) is not None:
            await under_way.wait()
        with self._holding(place):
            recalled = await profile.recall(once)
            if recalled is not None:
                return _unpack(recalled)
            try:
                result = await work()
            except KezdError as error:
                if error.changed:
                    await _keep(profile, once, {_ERROR: _packed(error)})
                raise
            await _keep(profile, once, msgspec.to_builtins(result))
            return result

    async def run_alone(self, profile: Profile, key: str, work: Callable[[], Awaitable[t.Result]]) -> Any:
        """The same for work that recalls and remembers by itself, but in more than one transaction."""
        place = (profile.name, key)
        while (under_way := self._under_way.get(place)) is not None:
            await under_way.wait()
        with self._holding(place):
            return await work()

    @contextmanager
    def _holding(self, place: tuple[str, str]) -> Iterator[None]:
        event = self._under_way[place] = trio.Event()
        try:
            yield
        finally:
            del self._under_way[place]
            event.set()


async def _keep(profile: Profile, once: Any, answer: dict[str, Any]) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + REMEMBERING):
        await profile.remember(once, answer)


def _packed(error: KezdError) -> dict[str, Any]:
    return {
        "slug": error.slug.value,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
    }


def _unpack(recalled: dict[str, Any]) -> dict[str, Any]:
    kept = recalled.get(_ERROR)
    if kept is None:
        return recalled
    raise error_for(Slug(kept["slug"]), kept["message"], hint=kept["hint"], detail=kept["detail"])
