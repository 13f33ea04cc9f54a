"""Two JSON schemas: what one takes or gives that the other does not.

For the shapes that msgspec writes (objects, arrays, enumerations, `anyOf`, references), not for
all of JSON schema. Direction decides what is a break: what a client sends must stay accepted
(`Flow.INPUT`), what it gets must stay what it knows (`Flow.OUTPUT`) but for new members and new
values of enumerations, which clients ignore by contract. Pure.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Schema = dict[str, Any]

_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_FIXED = ("pattern", "format", "multipleOf", "contentEncoding")
_ANY = "any"


class Flow(Enum):
    """Who writes the value."""

    INPUT = "input"
    OUTPUT = "output"


class Kind(Enum):
    """What a change means for programs that exist."""

    BREAK = "break"
    ADDITION = "addition"
    WORDING = "wording"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: Kind
    place: str
    """A method, a notification, a topic, or a struct and its member."""
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(slots=True)
class SchemaComparison:
    """Compares schemas of two documents; `changes` grows. Each pair of structs is looked at once."""

    old: Schema
    """`components.schemas` of the document that is committed."""
    new: Schema
    changes: list[Change] = field(default_factory=list)
    _seen: set[tuple[str, str, Flow]] = field(default_factory=set)

    def note(self, kind: Kind, place: str, what: str) -> None:
        """Add a change."""
        self.changes.append(Change(kind, place, what))

    def compare(self, old: Schema, new: Schema, flow: Flow, place: str) -> None:
        """Add what differs between two schemas."""
        flat_before, flat_after = _flatten(old, self.old), _flatten(new, self.new)
        titled = max(_count_objects(flat_before), _count_objects(flat_after)) > 1
        before, after = _alternatives(flat_before, titled), _alternatives(flat_after, titled)
        self._compare_kinds(before, after, flow, place)
        for kind in before.keys() & after.keys():
            self._compare_same_kind(kind, before[kind], after[kind], flow, place)

    def compare_members(self, old: Schema, new: Schema, flow: Flow, place: str, word: str) -> None:
        """Add what differs between two objects.

        Args:
            old: an object schema: `properties` and `required`.
            new: the other one.
            flow: who writes it.
            place: for messages.
            word: what a member is called there.
        """
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(before.keys() - after.keys()):
            self.note(Kind.BREAK, place, f"{word} `{name}` was removed")
        for name in sorted(after.keys() - before.keys()):
            forced = flow is Flow.INPUT and name in needed_after
            self.note(
                Kind.BREAK if forced else Kind.ADDITION,
                place,
                f"new {'required ' if forced else ''}{word} `{name}`",
            )
        for name in (name for name in after if name in before):
            self._compare_need(name in needed_before, name in needed_after, flow, place, f"{word} `{name}`")
            self._compare_default(before[name], after[name], flow, place, f"{word} `{name}`")
            self.compare(before[name], after[name], flow, f"{place}.{name}")

    def _compare_need(self, before: bool, after: bool, flow: Flow, place: str, member: str) -> None:
        if before == after:
            return
        breaks = after if flow is Flow.INPUT else before
        told = "required" if after else "optional"
        self.note(Kind.BREAK if breaks else Kind.ADDITION, place, f"{member} became {told}")

    def _compare_default(self, old: Schema, new: Schema, flow: Flow, place: str, member: str) -> None:
        if flow is Flow.INPUT and "default" in old and "default" in new and old["default"] != new["default"]:
            self.note(
                Kind.BREAK,
                place,
                f"the default of {member} went from {old['default']!r} to {new['default']!r}",
            )

    def _compare_kinds(
        self, before: dict[str, Schema], after: dict[str, Schema], flow: Flow, place: str
    ) -> None:
        gone = sorted(kind for kind in before if not _contained(kind, before, after))
        come = sorted(kind for kind in after if not _contained(kind, after, before))
        if gone:
            breaks = flow is Flow.INPUT
            self.note(
                Kind.BREAK if breaks else Kind.ADDITION, place, f"is no longer {_list(gone, before, after)}"
            )
        if come:
            breaks = flow is Flow.OUTPUT
            self.note(
                Kind.BREAK if breaks else Kind.ADDITION, place, f"may now be {_list(come, after, before)}"
            )

    def _compare_same_kind(self, kind: str, old: Schema, new: Schema, flow: Flow, place: str) -> None:
        if kind == "enum":
            self._compare_values(old["enum"], new["enum"], flow, place)
            return
        self._compare_bounds(old, new, flow, place)
        if kind == "array":
            self.compare(old.get("items", {}), new.get("items", {}), flow, f"{place}[]")
        elif kind.startswith("object"):
            self._compare_objects(old, new, flow, place)

    def _compare_objects(self, old: Schema, new: Schema, flow: Flow, place: str) -> None:
        named = (old.get("title", ""), new.get("title", ""), flow)
        if all(named):
            if named in self._seen:
                return
            self._seen.add(named)
            place = named[1]
        self.compare_members(old, new, flow, place, "member")
        before, after = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(before, dict) and isinstance(after, dict):
            self.compare(before, after, flow, f"{place}{{}}")
        elif before != after and not all(named):
            self.note(Kind.BREAK, place, "takes other members than before")

    def _compare_values(self, old: list[Any], new: list[Any], flow: Flow, place: str) -> None:
        for value in [value for value in old if value not in new]:
            breaks = flow is Flow.INPUT
            self.note(Kind.BREAK if breaks else Kind.ADDITION, place, f"`{value}` was removed")
        for value in [value for value in new if value not in old]:
            self.note(Kind.ADDITION, place, f"new value `{value}`")

    def _compare_bounds(self, old: Schema, new: Schema, flow: Flow, place: str) -> None:
        for key in (*_UPPER, *_LOWER, *_FIXED):
            before, after = old.get(key), new.get(key)
            if before == after:
                continue
            tighter = before is None or (after is not None and _tighter(key, before, after))
            breaks = key in _FIXED and None not in (before, after)
            breaks = breaks or tighter == (flow is Flow.INPUT)
            self.note(
                Kind.BREAK if breaks else Kind.ADDITION, place, f"`{key}` went from {before} to {after}"
            )


def _tighter(key: str, before: Any, after: Any) -> bool:
    if key in _UPPER:
        return bool(after < before)
    return bool(after > before) if key in _LOWER else True


def _contained(kind: str, own: dict[str, Schema], others: dict[str, Schema]) -> bool:
    """Whether values of this kind of `own` are among the values of the others (no, if that needs looking)."""
    if kind in others:
        return True
    free = {
        other
        for other, schema in others.items()
        if not any(key in schema for key in (*_UPPER, *_LOWER, *_FIXED))
    }
    if _ANY in free or (kind == "integer" and "number" in free):
        return True
    if kind != "enum":
        return False
    values = own["enum"]["enum"]
    strings = all(isinstance(value, str) for value in values)
    integers = all(isinstance(value, int) for value in values)
    return (strings and "string" in free) or (integers and bool(free & {"integer", "number"}))


def _alternatives(flat: list[Schema], titled: bool) -> dict[str, Schema]:
    """The kinds of value, by name; several objects are told apart by title."""
    found: dict[str, Schema] = {}
    for one in flat:
        kind = "enum" if "enum" in one else str(one.get("type", _ANY))
        if kind == "object" and titled:
            kind = f"object {one.get('title', '')}"
        joined = {"enum": [*found[kind]["enum"], *one["enum"]]} if kind == "enum" and kind in found else one
        found[kind] = joined
    return found


def _count_objects(flat: list[Schema]) -> int:
    return sum(1 for one in flat if one.get("type") == "object")


def _flatten(schema: Schema, components: Schema) -> list[Schema]:
    if "$ref" in schema:
        return _flatten(components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        return [one for part in schema["anyOf"] for one in _flatten(part, components)]
    return [schema]


def _list(kinds: list[str], schemas: dict[str, Schema], others: dict[str, Schema]) -> str:
    def name(kind: str) -> str:
        if kind != "enum" or "enum" in others:
            return kind
        return "one of " + ", ".join(str(value) for value in schemas[kind]["enum"])

    return " or ".join(name(kind) for kind in kinds)
