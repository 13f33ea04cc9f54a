"""rpc: any method of the API, and what each one takes and answers.

What is shown comes from the daemon's own document (`rpc.discover`), so it fits the daemon
that is asked, not the one that this kez was made with.
"""

import argparse
import json
from collections.abc import Iterator

from kez_cli.command import Command, add_yes
from kez_cli.context import Context, Json, read_stdin
from kez_cli.terminal import show
from kezd.errors import RequestError, Slug

REFERENCE = "#/components/schemas/"
DEPTH = 3
"""Objects within objects that are spelled out."""


def rpc(context: Context) -> int:
    """Call a method, or tell about it, or list them all."""
    options = context.options
    if options.list:
        return _list(context)
    if options.method is None:
        if options.help:
            options.print_help()
            return 0
        raise RequestError(Slug.INVALID_ARGUMENT, "which method?", hint="kez rpc --list tells them")
    if options.help:
        return _describe(context, options.method)
    params = _params(options.params)
    with context.connect() as client:
        context.print_json(client.call(options.method, **params))
    return 0


def _params(text: str) -> Json:
    try:
        params = json.loads(read_stdin() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"the parameters are not JSON: {error}") from error
    if not isinstance(params, dict):
        raise RequestError(Slug.INVALID_ARGUMENT, "the parameters are a JSON object, by name")
    return params


def _document(context: Context) -> Json:
    with context.connect() as client:
        document: Json = client.call("rpc.discover")["document"]
    return document


def _list(context: Context) -> int:
    methods = _document(context)["methods"]
    if context.json:
        rows = [{name: row.get(name) for name in ("name", "summary", "x-scope")} for row in methods]
        context.print_json({"methods": rows})
        return 0
    width = max(len(row["name"]) for row in methods)
    for row in methods:
        scope = context.terminal.faint(f"{show(row.get('x-scope', '')):<5}")
        context.terminal.line(f"{show(row['name']):<{width}}  {scope}  {show(row['summary'])}")
    return 0


def _describe(context: Context, name: str) -> int:
    document = _document(context)
    method = next((row for row in document["methods"] if row["name"] == name), None)
    if method is None:
        raise _unknown(name, [row["name"] for row in document["methods"]])
    if context.json:
        context.print_json(method)
        return 0
    terminal = context.terminal
    schemas = document["components"]["schemas"]
    terminal.line(f"{terminal.strong(show(method['name']))}  {show(method['summary'])}")
    for line in _notes(method):
        terminal.line(terminal.faint(line))
    terminal.line("\nparameters:" if method["params"] else "\nparameters: none")
    for row in method["params"]:
        _print_member(
            context, row["name"], row["schema"], row.get("description", ""), required=row["required"]
        )
    terminal.line("\nresult:")
    for depth, member, schema, required in _members(schemas, method["result"]["schema"], 0):
        text = schema.get("description", "")
        _print_member(context, "  " * depth + member, schema, text, required=required)
    errors = [error["data"]["slug"] for error in method.get("errors", ())]
    if errors:
        terminal.line("\nerrors: " + ", ".join(map(show, errors)) + "  (kez help exit-codes)")
    return 0


def _notes(method: Json) -> Iterator[str]:
    yield f"scope {method.get('x-scope')}, since API version {method.get('x-since')}"
    if method.get("x-deprecated"):
        yield f"deprecated: use {show(method['x-deprecated'])}"
    if method.get("x-confirm"):
        yield "a person has to allow it at a front-end with scope full"


def _print_member(context: Context, name: str, schema: Json, text: str, *, required: bool) -> None:
    mark = (
        ""
        if required
        else f", default {json.dumps(schema['default'])}"
        if "default" in schema
        else ", optional"
    )
    context.terminal.line(f"  {show(name)}: {show(_type(schema))}{mark}")
    if text:
        # What follows an indented name stands deeper than it.
        indent = " " * (len(name) - len(name.lstrip()) + 6)
        context.terminal.line(indent + context.terminal.faint(show(" ".join(text.split()))))


def _members(schemas: Json, schema: Json, depth: int) -> Iterator[tuple[int, str, Json, bool]]:
    """Members of an object and of the objects in it, with their depth and whether they are always there."""
    target = _target(schemas, schema)
    for name, member in target.get("properties", {}).items():
        yield depth, name, member, name in target.get("required", ())
        if depth + 1 < DEPTH:
            yield from _members(schemas, member, depth + 1)


def _target(schemas: Json, schema: Json) -> Json:
    """The object that a schema is about: itself, what it refers to, or what its items are."""
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "$ref" in one:
            found: Json = schemas.get(one["$ref"].removeprefix(REFERENCE), {})
            return found
    return {}


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REFERENCE)
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _unknown(name: str, names: list[str]) -> RequestError:
    from kez_cli.overview import closest  # only here: it costs start-up time

    meant = closest(name, names)
    hint = f"did you mean: {', '.join(meant)}" if meant else "kez rpc --list tells them"
    return RequestError(Slug.INVALID_ARGUMENT, f"there is no method {show(name)!r}", hint=hint)


def _rpc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "method", nargs="?", metavar="METHOD", help="such as daemon.health; --list tells them"
    )
    parser.add_argument("params", nargs="?", default="{}", metavar="JSON", help="an object (-: stdin)")
    parser.add_argument("--list", action="store_true", help="all methods of the kezd that runs, by scope")
    parser.add_argument(
        "-h", "--help", action="store_true", help="this; behind a METHOD: what it takes and answers"
    )
    add_yes(parser)
    parser.set_defaults(print_help=parser.print_help)


COMMANDS = (
    Command(
        "rpc",
        rpc,
        "call any method of the API",
        '  kez rpc daemon.health\n  kez rpc contacts.show \'{"contact": "@bob"}\'\n'
        "  kez rpc --list\n  kez rpc chat.send --help",
        _rpc,
        own_help=True,
    ),
)
