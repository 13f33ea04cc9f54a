"""The OpenRPC document: complete, self-contained, and valid by the official meta-schema."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from kezd.api import openrpc
from kezd.api import types as t
from kezd.api.causes import Cause
from kezd.api.events import Topic
from kezd.api.field_docs import describe_fields
from kezd.api.methods import API_MIN, API_RELEASED, API_VERSION, METHODS, Example, Method, Scope
from kezd.api.notifications import NOTIFICATIONS, TOPICS
from kezd.api.openrpc import COMMON_ERRORS, build_document, root_types
from kezd.errors import TABLE, Slug

VECTORS = Path(__file__).parent.parent / "vectors"


def validator() -> Draft7Validator:
    """Of OpenRPC's own meta-schema, and of the JSON schemas inside a document."""
    meta = json.loads((VECTORS / "openrpc-meta-schema.json").read_text())
    schemas = Resource(json.loads((VECTORS / "json-schema-meta-schema.json").read_text()), DRAFT7)
    registry = Registry().with_resources(
        [("https://meta.json-schema.tools", schemas), ("https://meta.json-schema.tools/", schemas)]
    )
    return Draft7Validator(meta, registry=registry)


def as_json(document):
    return json.loads(json.dumps(document))


def test_it_holds_to_the_official_meta_schema():
    assert [error.message for error in validator().iter_errors(as_json(build_document()))] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(extra=1),
        lambda d: d.pop("info"),
        lambda d: d.update(openrpc="9.0.0"),
        lambda d: d["methods"][0].pop("params"),
        lambda d: d["methods"][0].update(scope="full"),
        lambda d: d["methods"][0]["params"][0].pop("name"),
        lambda d: d["methods"][0]["params"][0].update(schema={"type": "strin"}),
        lambda d: d["methods"][0]["errors"][0].update(code="x"),
        lambda d: d["components"]["schemas"]["Message"].update(type=3),
    ],
)
def test_the_meta_schema_really_looks(spoil):
    document = as_json(build_document())
    spoil(document)
    assert list(validator().iter_errors(document))


def test_every_method_notification_topic_and_error_is_in_it():
    document = build_document()
    assert [m["name"] for m in document["methods"]] == [m.name for m in METHODS]
    assert [n["name"] for n in document["x-notifications"]] == [n.name for n in NOTIFICATIONS]
    assert [n["name"] for n in document["x-topics"]] == [topic.value for topic in Topic]
    assert {row.topic for row in TOPICS} == set(Topic)
    assert {e["data"]["slug"] for e in document["x-errors"]} == {s.value for s in Slug}
    assert {c["name"] for c in document["x-causes"]} == {c.value for c in Cause}


def test_every_reference_resolves_and_no_schema_is_left_over():
    document = build_document()
    text = msgspec.json.encode(document).decode()
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    schemas = document["components"]["schemas"]
    assert names
    assert names <= set(schemas)
    assert set(schemas) <= names | {kind.__name__ for kind in root_types()}


def test_each_struct_is_named_once_and_found_in_the_types_package():
    for name in build_document()["components"]["schemas"]:
        assert getattr(t, name).__name__ == name, f"{name} is not exported by kezd.api.types"


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_method_row(method):
    row = next(m for m in build_document()["methods"] if m["name"] == method.name)
    fields = {f.encode_name: f.required for f in msgspec.structs.fields(method.params)}
    assert {p["name"]: p["required"] for p in row["params"]} == fields
    assert row["summary"].endswith(".")
    errors = [e["data"]["slug"] for e in row["errors"]]
    assert len(set(errors)) == len(errors)
    assert set(errors) - {"confirmation_refused"} == {s.value for s in method.errors} - {
        "confirmation_refused"
    }
    assert ("confirmation_refused" in errors) == method.confirm
    assert row["x-scope"] in {scope.value for scope in Scope}
    assert 1 <= method.since <= API_VERSION
    assert method.mutates or not method.dry_run, "a dry run is of a method that changes something"
    for example in method.examples:
        msgspec.convert(example.params, method.params)
        msgspec.convert(example.result, method.result)


def test_names_are_noun_verb_and_unique():
    names = [m.name for m in METHODS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in names)


def test_documented_errors_are_in_the_table():
    assert all(slug in TABLE for method in METHODS for slug in method.errors)
    assert all(slug in TABLE for slug in COMMON_ERRORS)


def test_the_versions_make_sense():
    assert 1 <= API_MIN <= API_VERSION
    assert API_VERSION - 1 <= API_RELEASED <= API_VERSION


def test_members_are_described_by_the_strings_below_them():
    assert describe_fields(t.SubscribeResult) is describe_fields(t.SubscribeResult)
    key = describe_fields(t.SendParams)["idempotency_key"]
    assert key.startswith("Remembered for 24 h")
    send = next(m for m in build_document()["methods"] if m["name"] == "chat.send")
    assert next(p for p in send["params"] if p["name"] == "idempotency_key")["description"] == key


def test_a_deprecated_row_with_an_example_is_marked_and_still_valid():
    row = Method(
        "chat.old",
        t.MessageRef,
        t.Done,
        Scope.READ,
        "Old.",
        deprecated="chat.message",
        examples=(Example("one", {"id": "ab"}, {"ok": True}),),
    )
    document = as_json(build_document())
    marked = openrpc._method(row, document["components"]["schemas"])
    assert (marked["deprecated"], marked["x-instead"]) == (True, "chat.message")
    document["methods"].append(marked)
    assert list(validator().iter_errors(document)) == []
