"""The calls of one connection that wait for something, by id, so that `rpc.cancel` finds them.

Not the work itself. A call that never waits is never here: it is answered before another
message is read. Cancelling is asking: what is being committed ends as it was going to, and
a call whose method cannot be stopped half-way is found and left alone.
"""

from dataclasses import dataclass

import trio

from kezd.rpc.requests import Call, NoId


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call under way that somebody waits for."""

    id: str | int | float | None
    stoppable: bool


class Running:
    """All calls under way."""

    def __init__(self) -> None:
        self._calls: dict[trio.CancelScope, Waiting] = {}

    def add(self, scope: trio.CancelScope, call: Call, *, stoppable: bool) -> None:
        """A call runs inside `scope`; a notification has no id that anybody could name."""
        if not isinstance(call.id, NoId):
            self._calls[scope] = Waiting(call.id, stoppable)

    def remove(self, scope: trio.CancelScope) -> Waiting | None:
        """It has ended: which one, if it was here."""
        return self._calls.pop(scope, None)

    def cancel(self, call_id: str | float) -> bool:
        """Ask the call with that id to stop; whether there is one."""
        found = [(scope, call) for scope, call in self._calls.items() if call.id == call_id]
        for scope, call in found:
            if call.stoppable:
                scope.cancel()
        return bool(found)
