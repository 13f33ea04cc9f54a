"""Typed calls for Python: a class for each noun, once for the sync client and once for Trio.

Parameters are keyword arguments (`Unpack` of the parameters' `TypedDict`): what the caller does
not give is not sent, so that the daemon's default holds and an older daemon sees nothing new.
"""

import json
import keyword
from collections import defaultdict
from typing import Any

Document = dict[str, Any]

_DESCRIPTOR = "#/components/schemas/Descriptor"
"""What a parameter refers to that means an open file sent along."""

_HEAD = '''"""Every method of the table as a typed call, for {client}.

Made from the table of methods by `make contract ANNOUNCE=1`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import {imports}
    from typing import Unpack

    from kezd.client import shapes as s

'''


def sync_calls(document: Document) -> str:
    """Source of `kezd/client/calls_sync.py`, unformatted."""
    head = _HEAD.format(client="`kezd.client.sync`", imports="Callable, Sequence")
    return head + _classes(document, "Callable[..., Any]", "", "")


def trio_calls(document: Document) -> str:
    """Source of `kezd/client/calls_trio.py`, unformatted."""
    head = _HEAD.format(client="`kezd.client.trio_client`", imports="Awaitable, Callable, Sequence")
    return head + _classes(document, "Callable[..., Awaitable[Any]]", "async ", "await ")


def _classes(document: Document, call: str, prefix: str, wait: str) -> str:
    nouns: dict[str, list[Document]] = defaultdict(list)
    for method in document["methods"]:
        nouns[method["name"].partition(".")[0]].append(method)
    classes = [_class(noun, methods, call, prefix, wait) for noun, methods in nouns.items()]
    parts = "".join(f"        self.{noun} = {noun.capitalize()}(call)\n" for noun in nouns)
    api = (
        'class Api:\n    """All methods, by noun."""\n\n'
        f"    def __init__(self, call: {call}) -> None:\n{parts}"
    )
    return "\n\n".join([*classes, api])


def _class(noun: str, methods: list[Document], call: str, prefix: str, wait: str) -> str:
    head = (
        f'class {noun.capitalize()}:\n    """`{noun}.*`."""\n\n    __slots__ = ("_call",)\n\n'
        f"    def __init__(self, call: {call}) -> None:\n        self._call = call\n"
    )
    return head + "".join(f"\n{_method(method, prefix, wait)}" for method in methods)


def _method(method: Document, prefix: str, wait: str) -> str:
    verb = method["name"].partition(".")[2]
    if keyword.iskeyword(verb):
        verb += "_"
    result = method["result"]["name"]
    takes = method["params"]
    params = f", **params: Unpack[s.{method['x-params']}]" if takes else ""
    given = ", **params" if takes else ""
    if _DESCRIPTOR in json.dumps(takes):
        params = f", *, descriptors: Sequence[int] = (){params}"
        given = f", descriptors=descriptors{given}"
    instead = f" Deprecated: use `{method['x-instead']}`." if method.get("deprecated") else ""
    return (
        f"    {prefix}def {verb}(self{params}) -> s.{result}:\n"
        f'        """{method["summary"]}{instead}"""\n'
        f'        return cast("s.{result}", {wait}self._call("{method["name"]}"{given}))\n'
    )
