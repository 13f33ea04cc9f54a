"""The OpenRPC 1.x document, built from the tables of methods, topics and errors.

What `rpc.discover` answers, and what documentation and clients are made from. It holds
to the official meta-schema (`tests/vectors/openrpc-meta-schema.json`); what OpenRPC has no
word for stands in `x-` members. Pure; the same tables always give the same document.
"""

from functools import cache
from typing import Any

import msgspec

from kezd.api import types as t
from kezd.api.causes import TABLE as CAUSES
from kezd.api.field_docs import describe_fields
from kezd.api.methods import API_MIN, API_VERSION, METHODS, Method
from kezd.api.notifications import NOTIFICATIONS, TOPICS, Notification
from kezd.errors import TABLE, Slug

OPENRPC_VERSION = "1.3.2"
REFERENCES = "#/components/schemas/"

COMMON_ERRORS = (
    Slug.INVALID_ARGUMENT,
    Slug.NOT_INITIALIZED,
    Slug.FORBIDDEN,
    Slug.LOCKED,
    Slug.BUSY,
    Slug.CANCELLED,
    Slug.IDEMPOTENCY_CONFLICT,
    Slug.STORE_FAILED,
    Slug.DISK_FULL,
    Slug.STOPPING,
    Slug.INTERNAL,
)
"""What any call may answer, beside the errors of its own row."""

_CONVENTIONS = (
    "JSON-RPC 2.0 on a Unix socket, one object a line. Parameters are named, and unknown ones are refused."
    " Results are objects that may grow members, their enumerations may grow values: ignore what you do not"
    " know. Times are Unix milliseconds. See docs/rpc.md."
)


@cache
def build_document() -> dict[str, Any]:
    """The whole document. Shared: do not change what you are given."""
    components = build_schemas()
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "kezd",
            "version": f"{API_VERSION}.0.0",
            "description": _CONVENTIONS,
            "license": {"name": "Apache-2.0"},
            "x-api-min": API_MIN,
        },
        "methods": [_method(method, components) for method in METHODS],
        "x-notifications": [_notification(row, components) for row in NOTIFICATIONS],
        "x-topics": [
            {
                "name": row.topic.value,
                "summary": row.doc,
                "durable": row.durable,
                "scope": row.scope.value,
                "body": _reference(row.body),
            }
            for row in TOPICS
        ],
        "x-errors": [
            {
                **_error(slug),
                "family": TABLE[slug].family.name.lower(),
                "exit_code": TABLE[slug].exit_code,
            }
            for slug in Slug
        ],
        "x-causes": [
            {"name": cause.value, "final": row.final, "text": row.text, "hint": row.hint}
            for cause, row in CAUSES.items()
        ],
        "x-common-errors": [slug.value for slug in COMMON_ERRORS],
        "components": {"schemas": components},
    }


def root_types() -> list[type[msgspec.Struct]]:
    """Every struct that a row of a table names."""
    return [
        *(kind for method in METHODS for kind in (method.params, method.result)),
        *(row.params for row in NOTIFICATIONS),
        *(row.body for row in TOPICS),
    ]


def build_schemas() -> dict[str, Any]:
    """JSON schemas of all structs by name, members described."""
    _, components = msgspec.json.schema_components(root_types(), ref_template=REFERENCES + "{name}")
    for name, schema in components.items():
        # Only what the types package names is described; msgspec names schemas by their class.
        words = describe_fields(getattr(t, name)) if hasattr(t, name) else {}
        for member, text in words.items():
            if member in schema.get("properties", {}):
                schema["properties"][member]["description"] = text
    return dict(sorted(components.items()))


def method_errors(method: Method) -> tuple[Slug, ...]:
    """What the method may answer beside `COMMON_ERRORS`: its row's, and a person's no."""
    asks = method.confirm and Slug.CONFIRMATION_REFUSED not in method.errors
    return (*method.errors, Slug.CONFIRMATION_REFUSED) if asks else method.errors


def _method(method: Method, components: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": method.name,
        "summary": method.doc,
        "tags": [{"name": method.name.partition(".")[0]}],
        "paramStructure": "by-name",
        "params": _members(method.params, components),
        "result": {"name": method.result.__name__, "schema": _reference(method.result)},
        "errors": [_error(slug) for slug in method_errors(method)],
        "x-params": method.params.__name__,
        "x-scope": method.scope.value,
        "x-since": method.since,
        "x-before-initialize": method.bare,
        "x-confirm": method.confirm,
        "x-idempotent-with-key": method.mutates,
        "x-dry-run": method.dry_run,
        "x-stoppable": method.stoppable,
    }
    if method.deprecated:
        row |= {"deprecated": True, "x-instead": method.deprecated}
    if method.examples:
        row["examples"] = [
            {
                "name": example.name,
                "params": [{"name": name, "value": value} for name, value in example.params.items()],
                "result": {"name": method.result.__name__, "value": example.result},
            }
            for example in method.examples
        ]
    return row


def _notification(row: Notification, components: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "summary": row.doc,
        "paramStructure": "by-name",
        "params": _members(row.params, components),
        "x-params": row.params.__name__,
    }


def _members(struct: type[msgspec.Struct], components: dict[str, Any]) -> list[dict[str, Any]]:
    schema = components[struct.__name__]
    required = schema.get("required", [])
    members = []
    for name, member in schema.get("properties", {}).items():
        text = member.get("description")
        described = {"description": text} if text else {}
        bare = {key: value for key, value in member.items() if key != "description"}
        members.append({"name": name, **described, "required": name in required, "schema": bare})
    return members


def _reference(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": REFERENCES + struct.__name__}


def _error(slug: Slug) -> dict[str, Any]:
    row = TABLE[slug]
    return {
        "code": row.family.value,
        "message": row.text,
        "data": {"slug": slug.value, "retryable": row.retryable, "hint": row.hint},
    }
