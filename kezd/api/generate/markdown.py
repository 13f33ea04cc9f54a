"""The generated half of `docs/rpc.md`: methods, events, notifications, shapes, errors.

The other half is written by hand; `replace_generated` puts this one between its markers.
"""

import json
from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

BEGIN = "<!-- generated: everything from here on comes from the table (`make contract ANNOUNCE=1`) -->"

_SAID_ABOVE = ("idempotency_key", "dry_run")
"""Parameters that the line below the heading tells of."""


class MissingMarkerError(ValueError):
    """The page has no place for the generated half."""


def replace_generated(page: str, document: Schema) -> str:
    """The page with its generated half renewed.

    Raises:
        MissingMarkerError: there is no marker.
    """
    written, marker, _ = page.partition(BEGIN)
    if not marker:
        raise MissingMarkerError(BEGIN)
    return f"{written}{BEGIN}\n\n{reference(document)}"


def reference(document: Schema) -> str:
    """The reference as Markdown."""
    schemas: Schema = document["components"]["schemas"]
    parameters = {method["x-params"] for method in document["methods"]}
    shapes = [schema for name, schema in schemas.items() if name not in parameters and schema["properties"]]
    common = ", ".join(f"`{slug}`" for slug in document["x-common-errors"])
    parts = [
        "## Methods\n",
        f"Any call may also answer {common}. A ⏎ marks what takes an `idempotency_key`, ? what has a `dry_run`,"
        " ✋ what waits for a person's yes.\n",
        _index(document),
        *(_method(method) for method in document["methods"]),
        "## Topics\n",
        _table(
            ("topic", "scope", "lasts", "body", "what"),
            [
                (
                    f"`{row['name']}`",
                    row["scope"],
                    "in the log" if row["durable"] else "latest only",
                    _type(row["body"]),
                    row["summary"],
                )
                for row in document["x-topics"]
            ],
        ),
        "## Notifications\n",
        _table(
            ("method", "params", "what"),
            [
                (
                    f"`{row['name']}`",
                    ", ".join(f"`{member['name']}`: {_type(member['schema'])}" for member in row["params"])
                    or "none",
                    row["summary"],
                )
                for row in document["x-notifications"]
            ],
        ),
        "## Shapes\n",
        "Of results, events and nested parameters. A member with ? may be missing from an older daemon's answer.\n",
        *(_shape(schema) for schema in shapes),
        "## Causes\n",
        "Of a message that failed, or that waits and is tried again by itself (`cause`). A name that your program"
        " does not know: go by the message's `state`.\n",
        _causes(document["x-causes"]),
        "## Errors\n",
        _errors(document["x-errors"]),
    ]
    return "\n".join(parts)


def _index(document: Schema) -> str:
    rows = [
        (
            f"[`{method['name']}`](#{_anchor(method['name'])}){_marks(method)}",
            method["x-scope"],
            method["summary"],
        )
        for method in document["methods"]
    ]
    return _table(("method", "scope", "what"), rows)


def _marks(method: Schema) -> str:
    marks = (("x-idempotent-with-key", "⏎"), ("x-dry-run", "?"), ("x-confirm", "✋"))
    found = " ".join(mark for flag, mark in marks if method[flag])
    return f" {found}" if found else ""


def _method(method: Schema) -> str:
    standing = [f"scope `{method['x-scope']}`", f"since API {method['x-since']}"]
    if method["x-before-initialize"]:
        standing.append("allowed before `session.initialize`")
    if method["x-idempotent-with-key"]:
        standing.append("takes `idempotency_key`" + (" and `dry_run`" if method["x-dry-run"] else ""))
    if method["x-confirm"]:
        standing.append("waits for a person's yes")
    if not method["x-stoppable"]:
        standing.append("cannot be stopped half-way")
    lines = [f"### {method['name']}\n", f"{method['summary']} ({', '.join(standing)})\n"]
    if method.get("deprecated"):
        lines.append(f"**Deprecated**: use {method['x-instead']}.\n")
    shown = [member for member in method["params"] if member["name"] not in _SAID_ABOVE]
    if shown:
        lines.append(_table(("param", "type", "what"), [_member_row(m, m["schema"]) for m in shown]))
    lines += [_example(example) for example in method.get("examples", ())]
    lines.append(f"Result: {_type(method['result']['schema'])}.")
    slugs = ", ".join(f"`{error['data']['slug']}`" for error in method["errors"])
    if slugs:
        lines.append(f"Errors: {slugs}.")
    return "\n".join(lines) + "\n"


def _example(example: Schema) -> str:
    params = {param["name"]: param["value"] for param in example["params"]}
    shown = json.dumps({"params": params, "result": example["result"]["value"]}, indent=1, ensure_ascii=False)
    return f"{example['name']}:\n\n```json\n{shown}\n```\n"


def _member_row(member: Schema, schema: Schema) -> tuple[str, str, str]:
    name = f"`{member['name']}`{'' if member.get('required') else ' ?'}"
    default = schema.get("default")
    told = f" = `{_json(default)}`" if default not in (None, "", {}) else ""
    return name, _type(schema) + told, member.get("description", "")


def _shape(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = [
        _member_row(
            {"name": name, "required": name in required, "description": member.get("description", "")}, member
        )
        for name, member in schema["properties"].items()
    ]
    return f"### {schema['title']}\n\n{schema['description']}\n\n" + _table(("member", "type", "what"), rows)


def _causes(causes: list[Schema]) -> str:
    rows = [
        (f"`{row['name']}`", "failed" if row["final"] else "waits", f"{row['text']} → {row['hint']}")
        for row in causes
    ]
    return _table(("cause", "the message", "meaning → next step"), rows)


def _errors(errors: list[Schema]) -> str:
    rows = [
        (
            f"`{row['data']['slug']}`",
            f"{row['code']} {row['family']}",
            str(row["exit_code"]),
            "yes" if row["data"]["retryable"] else "",
            row["message"] + (f" → {row['data']['hint']}" if row["data"]["hint"] else ""),
        )
        for row in errors
    ]
    return _table(("slug", "code", "exit code of kez", "retry", "meaning → next step"), rows)


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{_json(value)}`" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "object":
            values = schema.get("additionalProperties")
            return f"map of {_type(values)}" if isinstance(values, dict) else "object"
        case str(simple):
            return simple
        case _:
            return "anything"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
