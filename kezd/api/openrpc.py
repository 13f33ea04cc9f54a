"""The OpenRPC 1.x document, built from the table of methods and their types.

What `rpc.discover` answers, and what documentation and foreign clients are made from.
Pure; the same table always gives the same document.
"""

from functools import cache
from typing import Any

import msgspec

from kezd.api import events
from kezd.api.methods import API_VERSION, METHODS, Method
from kezd.errors import TABLE, Slug

OPENRPC_VERSION = "1.3.2"
_REFERENCES = "#/components/schemas/{name}"


@cache
def build_document() -> dict[str, Any]:
    """The whole document. Shared: do not change what you are given."""
    types = [kind for method in METHODS for kind in (method.params, method.result)]
    _, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "kezd",
            "version": f"{API_VERSION}.0.0",
            "description": (
                "JSON-RPC 2.0 on a Unix socket, one object a line. Parameters are named;"
                " results may grow members that clients ignore."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "methods": [_method(method, components) for method in METHODS],
        "x-notifications": _notifications(),
        "x-errors": [_error(slug) for slug in Slug],
        "components": {"schemas": components},
    }


def _method(method: Method, components: dict[str, Any]) -> dict[str, Any]:
    schema = components[method.params.__name__]
    required = schema.get("required", [])
    return {
        "name": method.name,
        "summary": method.doc,
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": member}
            for name, member in schema.get("properties", {}).items()
        ],
        "result": {
            "name": method.result.__name__,
            "schema": {"$ref": _REFERENCES.format(name=method.result.__name__)},
        },
        "errors": [_error(slug) for slug in method.errors],
        "x-scope": method.scope.value,
        "x-before-initialize": method.bare,
        "x-idempotent-with-key": method.mutates,
    }


def _error(slug: Slug) -> dict[str, Any]:
    row = TABLE[slug]
    return {
        "code": row.family.value,
        "message": row.text,
        "data": {"slug": slug.value, "retryable": row.retryable, "hint": row.hint},
    }


def _notifications() -> list[dict[str, Any]]:
    return [
        {
            "name": events.EVENT,
            "params": ["subscription", "epoch", "seq", "topic", "event"],
            "topics": [
                {"name": topic.value, "durable": topic not in events.EPHEMERAL} for topic in events.Topic
            ],
        },
        {"name": events.LAGGED, "params": ["subscription", "epoch", "last_seq"]},
        {"name": events.STOPPING, "params": []},
    ]
