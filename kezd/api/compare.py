"""Two OpenRPC documents of this API: what changed, and what of it breaks programs that exist.

Pure: documents in, a list of changes out. What is compared: methods with their parameters,
results, scopes and flags, notifications, topics, errors, causes. Rules for shapes are in
`schema_compare`; who may break what, and when, is decided by `refuse`.
"""

import json
from typing import Any

from kezd.api.schema_compare import Change, Flow, Kind, SchemaComparison

Document = dict[str, Any]

_SCOPES = ("read", "chat", "full")
_FLAGS = {
    "x-before-initialize": ("may be called before session.initialize", True),
    "x-idempotent-with-key": ("takes an idempotency key", True),
    "x-dry-run": ("has a dry run", True),
    "x-confirm": ("waits for a person", False),
}
"""What each says of a method, and whether losing it (True) or gaining it (False) is the break."""


def compare_documents(old: Document, new: Document) -> list[Change]:
    """Everything that changed from `old` to `new`; one `WORDING` change when only words did."""
    comparison = SchemaComparison(old["components"]["schemas"], new["components"]["schemas"])
    _compare_methods(old, new, comparison)
    _compare_notifications(old, new, comparison)
    _compare_topics(old, new, comparison)
    _compare_errors(old, new, comparison)
    _compare_causes(old, new, comparison)
    if comparison.changes:
        return sorted(comparison.changes, key=lambda change: (change.kind is not Kind.BREAK, change.place))
    if normal_form(old) != normal_form(new):
        return [Change(Kind.WORDING, "document", "words or order changed")]
    return []


def refuse(changes: list[Change], *, api_min: int, released: int) -> list[Change]:
    """The breaks that may not even be announced.

    A version of the API that a release carried is a promise: while the daemon still says yes to it
    (`api_min <= released`), nothing of it breaks. A version in the making may change.
    """
    return [change for change in changes if change.kind is Kind.BREAK and api_min <= released]


def normal_form(document: Document) -> str:
    """The document as text, the same for equal documents."""
    return json.dumps(document, sort_keys=True)


def _by_name(rows: list[Document]) -> dict[str, Document]:
    return {row["name"]: row for row in rows}


def _object(members: list[Document]) -> Document:
    """Parameters as an object schema."""
    return {
        "properties": {member["name"]: member["schema"] for member in members},
        "required": [member["name"] for member in members if member.get("required")],
    }


def _pairs(
    old: list[Document], new: list[Document], comparison: SchemaComparison, word: str
) -> list[tuple[str, Document, Document]]:
    """Rows of both, by name; what is in one only is noted."""
    before, after = _by_name(old), _by_name(new)
    for name in sorted(before.keys() - after.keys()):
        comparison.note(Kind.BREAK, name, f"{word} was removed")
    for name in sorted(after.keys() - before.keys()):
        comparison.note(Kind.ADDITION, name, f"new {word}")
    return [(name, before[name], after[name]) for name in before if name in after]


def _compare_methods(old: Document, new: Document, comparison: SchemaComparison) -> None:
    for name, before, after in _pairs(old["methods"], new["methods"], comparison, "method"):
        params = _object(before["params"]), _object(after["params"])
        comparison.compare_members(*params, Flow.INPUT, name, "parameter")
        results = before["result"]["schema"], after["result"]["schema"]
        comparison.compare(*results, Flow.OUTPUT, f"{name} result")
        _compare_rights(name, before, after, comparison)
        _compare_deprecation(name, before, after, comparison)
        _compare_method_errors(name, before, after, comparison)


def _compare_rights(name: str, before: Document, after: Document, comparison: SchemaComparison) -> None:
    _compare_scopes(name, before["x-scope"], after["x-scope"], comparison)
    for flag, (meaning, good) in _FLAGS.items():
        had, has = bool(before.get(flag)), bool(after.get(flag))
        if had != has:
            worse = has is not good
            comparison.note(
                Kind.BREAK if worse else Kind.ADDITION, name, f"{'now' if has else 'no longer'} {meaning}"
            )


def _compare_scopes(name: str, before: str, after: str, comparison: SchemaComparison) -> None:
    if before != after:
        raised = _SCOPES.index(after) > _SCOPES.index(before)
        told = f"scope {'raised' if raised else 'lowered'} from {before} to {after}"
        comparison.note(Kind.BREAK if raised else Kind.ADDITION, name, told)


def _compare_deprecation(name: str, before: Document, after: Document, comparison: SchemaComparison) -> None:
    if bool(before.get("deprecated")) != bool(after.get("deprecated")):
        told = f"deprecated: {after['x-instead']}" if after.get("deprecated") else "no longer deprecated"
        comparison.note(Kind.ADDITION, name, told)
    if after.get("x-since", 1) > before.get("x-since", 1):
        comparison.note(Kind.BREAK, name, f"says it came with version {after['x-since']} only")


def _compare_method_errors(
    name: str, before: Document, after: Document, comparison: SchemaComparison
) -> None:
    had = {error["data"]["slug"] for error in before["errors"]}
    has = {error["data"]["slug"] for error in after["errors"]}
    for slug in sorted(has - had):
        comparison.note(Kind.ADDITION, name, f"may answer `{slug}`")
    for slug in sorted(had - has):
        comparison.note(Kind.ADDITION, name, f"no longer answers `{slug}`")


def _compare_notifications(old: Document, new: Document, comparison: SchemaComparison) -> None:
    rows = old["x-notifications"], new["x-notifications"]
    for name, before, after in _pairs(*rows, comparison, "notification"):
        params = _object(before["params"]), _object(after["params"])
        comparison.compare_members(*params, Flow.OUTPUT, name, "member")


def _compare_topics(old: Document, new: Document, comparison: SchemaComparison) -> None:
    for name, before, after in _pairs(old["x-topics"], new["x-topics"], comparison, "topic"):
        comparison.compare(before["body"], after["body"], Flow.OUTPUT, f"topic {name}")
        _compare_scopes(name, before.get("scope", "read"), after.get("scope", "read"), comparison)
        if before["durable"] != after["durable"]:
            durable = after["durable"]
            comparison.note(
                Kind.ADDITION if durable else Kind.BREAK,
                name,
                f"topic became {'durable' if durable else 'ephemeral'}",
            )


def _compare_errors(old: Document, new: Document, comparison: SchemaComparison) -> None:
    before = {error["data"]["slug"]: error for error in old["x-errors"]}
    after = {error["data"]["slug"]: error for error in new["x-errors"]}
    for slug in sorted(before.keys() - after.keys()):
        comparison.note(Kind.BREAK, slug, "error was removed")
    for slug in sorted(after.keys() - before.keys()):
        comparison.note(Kind.ADDITION, slug, "new error")
    for slug in sorted(before.keys() & after.keys()):
        if before[slug]["code"] != after[slug]["code"]:
            codes = before[slug]["code"], after[slug]["code"]
            comparison.note(Kind.BREAK, slug, f"code went from {codes[0]} to {codes[1]}")
        retryable = before[slug]["data"]["retryable"], after[slug]["data"]["retryable"]
        if retryable[0] != retryable[1]:
            comparison.note(Kind.BREAK, slug, f"retryable went from {retryable[0]} to {retryable[1]}")


def _compare_causes(old: Document, new: Document, comparison: SchemaComparison) -> None:
    for name, before, after in _pairs(old.get("x-causes", []), new.get("x-causes", []), comparison, "cause"):
        if before["final"] != after["final"]:
            comparison.note(Kind.BREAK, name, f"cause is {'final' if after['final'] else 'not final'} now")
