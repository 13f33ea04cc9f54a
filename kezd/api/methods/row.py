"""A row of the table of methods, and the scopes."""

from dataclasses import dataclass
from enum import Enum

from kezd.api import types as t
from kezd.errors import Slug


class Scope(Enum):
    """Who may call. Each includes the ones after it."""

    FULL = "full"
    CHAT = "chat"
    READ = "read"


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

    @property
    def mutates(self) -> bool:
        """Whether it takes an idempotency key."""
        return issubclass(self.params, t.Mutation)
