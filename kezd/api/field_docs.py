"""What the source says about each member of a struct: the string below its annotation.

msgspec keeps docstrings of classes but not of members; the document, the generated clients
and `docs/rpc.md` want both. Reads the source of `kezd.api.types` and nothing else. Where
there is no source (a zipped or stripped installation), members have no description.
"""

import ast
import inspect
import sys
from functools import cache

import msgspec


@cache
def describe_fields(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Descriptions by member name, the ones of base classes included."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        found |= _of_module(base.__module__).get(base.__name__, {})
    return found


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    if not name.startswith("kezd.api."):
        return {}
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except OSError:
        return {}
    return {node.name: _of_class(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_class(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for member, after in zip(node.body, node.body[1:], strict=False):
        match member, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
