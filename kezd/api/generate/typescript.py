"""TypeScript declarations of the API: shapes, methods, topics, notifications, errors.

Declarations only (`.d.ts`): they add no code to a web page or an editor's plug-in.
"""

import json
import re
from typing import Any

Schema = dict[str, Any]

_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_HEAD = """// kezd's RPC in TypeScript, API version {version}.
// Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
// A member with `?` may be left out of parameters, and may be missing from the results of an older daemon.
// Results may have members, and enumerations values, that are not listed here: ignore them.

"""
_TAIL = """/** The error of a JSON-RPC answer. */
export interface RpcError {
  code: number;
  message: string;
  data: { slug: ErrorSlug; retryable: boolean; hint: string; retry_after_ms?: number; [detail: string]: unknown };
}

export type MethodName = keyof Methods;
export type Params<M extends MethodName> = Methods[M]["params"];
export type Result<M extends MethodName> = Methods[M]["result"];

/** A client's one function, if it likes to be typed by the table. */
export type Call = <M extends MethodName>(method: M, params: Params<M>) => Promise<Result<M>>;

/** The `params` of an `event` notification, its body typed by its topic. */
export type TopicEvent = {
  [T in keyof Topics]: Omit<EventNotice, "topic" | "event"> & { topic: T; event: Topics[T] };
}[keyof Topics];
"""


def typescript_type(schema: Schema) -> str:
    """The type for a schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(typescript_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"Array<{typescript_type(schema.get('items', {}))}>"
        case "object":
            values = schema.get("additionalProperties")
            return f"Record<string, {typescript_type(values) if isinstance(values, dict) else 'unknown'}>"
        case str(simple):
            return _SIMPLE[simple]
        case _:
            return "unknown"


def typescript_declarations(document: Schema) -> str:
    """The whole `.d.ts` file."""
    parts = [_HEAD.format(version=document["info"]["version"].partition(".")[0])]
    parts += [_interface(schema) for schema in document["components"]["schemas"].values()]
    parts.append(
        _map(
            "Methods",
            "Every method, by name.",
            [
                (
                    method["name"],
                    f"{{ params: {method['x-params']}; result: {method['result']['name']} }}",
                    _method_doc(method),
                )
                for method in document["methods"]
            ],
        )
    )
    topics = [(row["name"], typescript_type(row["body"]), row["summary"]) for row in document["x-topics"]]
    parts.append(_map("Topics", "Bodies of events, by topic.", topics))
    notices = [(row["name"], row["x-params"], row["summary"]) for row in document["x-notifications"]]
    parts.append(_map("Notifications", "Parameters of what the daemon says unasked, by method.", notices))
    slugs = "\n".join(f"  | {json.dumps(row['data']['slug'])}" for row in document["x-errors"])
    parts.append(f"/** What went wrong, in one word that stays. */\nexport type ErrorSlug =\n{slugs};\n\n")
    return "".join([*parts, _TAIL])


def _interface(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    members = "".join(
        f"{_doc(member.get('description', ''), '  ')}  {_key(name)}{'' if name in required else '?'}: "
        f"{typescript_type(member)};\n"
        for name, member in schema.get("properties", {}).items()
    )
    if not members:
        return f"{_doc(schema['description'])}export type {schema['title']} = Record<string, never>;\n\n"
    return f"{_doc(schema['description'])}export interface {schema['title']} {{\n{members}}}\n\n"


def _map(name: str, doc: str, rows: list[tuple[str, str, str]]) -> str:
    members = "".join(f"{_doc(text, '  ')}  {_key(key)}: {kind};\n" for key, kind, text in rows)
    return f"{_doc(doc)}export interface {name} {{\n{members}}}\n\n"


def _method_doc(method: Schema) -> str:
    text = f"{method['summary']} Scope: {method['x-scope']}."
    return f"{text} @deprecated use {method['x-instead']}" if method.get("deprecated") else text


def _doc(text: str, indent: str = "") -> str:
    safe = " ".join(text.split()).replace("*/", "* /")
    return f"{indent}/** {safe} */\n" if safe else ""


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)
