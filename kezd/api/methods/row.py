"""A row of the table of methods, and the scopes."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from kezd.api import types as t
from kezd.errors import Slug


class Scope(Enum):
    """Who may call. Each includes the ones after it."""

    FULL = "full"
    CHAT = "chat"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Example:
    """A call worth showing: parameters by name, and what its result says. Checked against the types."""

    name: str
    params: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One row."""

    name: str
    params: type[t.Params]
    result: type[t.Result]
    scope: Scope
    doc: str
    errors: tuple[Slug, ...] = ()
    bare: bool = False
    """Allowed before session.initialize."""
    confirm: bool = False
    """Uses the identity's keys or gives power away: a person at a `full` front-end answers first."""
    dry_run: bool = False
    """Trying without doing has a meaning here."""
    stoppable: bool = True
    """`rpc.cancel` may stop it half-way; otherwise it is found, and runs to its end."""
    since: int = 1
    """Version of the API that it came with."""
    deprecated: str = ""
    """What to use instead; empty while it is not deprecated. It may go with the next API version only."""
    examples: tuple[Example, ...] = ()

    @property
    def mutates(self) -> bool:
        """Whether it takes an idempotency key."""
        return issubclass(self.params, t.Mutation)
