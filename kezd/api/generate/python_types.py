"""Python types of the API's shapes: `TypedDict`s, one module for each noun.

Dictionaries, not structs: the synchronous client stays in the standard library, both clients
share one set of types, and a newer daemon's unknown members or values pass through.
"""

import keyword
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_NOTE = "Made from the table of methods by `make contract ANNOUNCE=1`: do not edit."


def python_type(schema: Schema) -> str:
    """The annotation for a schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(python_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    match schema.get("type"):
        case "array":
            return f"list[{python_type(schema.get('items', {}))}]"
        case "object":
            values = schema.get("additionalProperties")
            return f"dict[str, {python_type(values) if isinstance(values, dict) else 'Any'}]"
        case str(simple):
            return _SIMPLE[simple]
        case _:
            return "Any"


def python_modules(document: Schema, nouns: Mapping[str, str]) -> dict[str, str]:
    """Source of each module by file name, unformatted.

    Args:
        document: the OpenRPC document.
        nouns: the module that each schema belongs to, by name.
    """
    schemas: Schema = document["components"]["schemas"]
    by_noun: dict[str, list[str]] = defaultdict(list)
    for name, schema in schemas.items():
        if schema.get("properties"):
            by_noun[nouns[name]].append(name)
    files = {f"{noun}.py": _module(noun, names, schemas, nouns) for noun, names in sorted(by_noun.items())}
    return {"__init__.py": _package(by_noun), **files}


def _package(by_noun: Mapping[str, list[str]]) -> str:
    imports = "".join(
        f"from kezd.client.shapes.{noun} import {', '.join(sorted(names))}\n"
        for noun, names in sorted(by_noun.items())
    )
    exported = ", ".join(f'"{name}"' for names in by_noun.values() for name in names)
    return f'"""Shapes of parameters, results and events, as dictionaries.\n\n{_NOTE}\n"""\n\n{imports}\n__all__ = [{exported}]\n'


def _module(noun: str, names: list[str], schemas: Schema, nouns: Mapping[str, str]) -> str:
    ordered = _in_order(names, schemas)
    body = "\n\n".join(_class(schemas[name]) for name in ordered)
    foreign: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for other in _references(schemas[name]):
            if other not in names:
                foreign[nouns[other]].add(other)
    typing = ["TypedDict"]
    typing += [word for word in ("Any", "Literal", "NotRequired") if f"{word}" in body]
    imports = f"from typing import {', '.join(sorted(typing))}\n"
    imports += "".join(
        f"\nfrom kezd.client.shapes.{module} import {', '.join(sorted(names))}"
        for module, names in sorted(foreign.items())
    )
    return f'"""Shapes of `{noun}`.\n\n{_NOTE}\n"""\n\n{imports}\n\n{body}'


def _class(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    lines = [f"class {schema['title']}(TypedDict):", f"    {_docstring(schema['description'])}", ""]
    for name, member in schema["properties"].items():
        if keyword.iskeyword(name):
            msg = f"{schema['title']}.{name} is a keyword of Python"
            raise ValueError(msg)
        kind = python_type(member)
        lines.append(f"    {name}: {kind if name in required else f'NotRequired[{kind}]'}")
        if "description" in member:
            lines.append(f"    {_docstring(member['description'])}")
    return "\n".join(lines) + "\n"


def _docstring(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"""', '\\"""')
    return f'"""{escaped}"""'


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else set()
        return own.union(*(_references(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_references(value) for value in schema))
    return set()


def _in_order(names: list[str], schemas: Schema) -> list[str]:
    """Each shape after those it refers to: annotations are read when the class is made."""
    ordered: list[str] = []

    def put(name: str) -> None:
        if name in ordered or name not in names:
            return
        for other in sorted(_references(schemas[name])):
            put(other)
        ordered.append(name)

    for name in sorted(names):
        put(name)
    return ordered
