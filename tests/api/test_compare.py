"""Each kind of change between two documents, and what it means for programs that exist."""

import copy
import json

import pytest

from kezd.api.compare import compare_documents, refuse
from kezd.api.openrpc import build_document
from kezd.api.schema_compare import Change, Kind

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
MAYBE = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
ITEM = {"$ref": "#/components/schemas/Item"}


def document():
    """A small API with one of everything."""
    return {
        "methods": [
            {
                "name": "chat.send",
                "params": [
                    {"name": "to", "required": True, "schema": TEXT},
                    {"name": "limit", "required": False, "schema": {"type": "integer", "default": 50}},
                    {
                        "name": "how",
                        "required": False,
                        "schema": {"enum": ["fast", "slow"], "default": "fast"},
                    },
                    {"name": "note", "required": False, "schema": MAYBE},
                    {"name": "many", "required": False, "schema": {"type": "array", "items": TEXT}},
                    {"name": "place", "required": False, "schema": {"$ref": "#/components/schemas/Place"}},
                ],
                "result": {"name": "R", "schema": {"$ref": "#/components/schemas/Sent"}},
                "errors": [error("blocked")],
                "x-scope": "chat",
                "x-since": 1,
                "x-before-initialize": True,
                "x-confirm": False,
                "x-idempotent-with-key": True,
                "x-dry-run": True,
            }
        ],
        "x-notifications": [
            {"name": "event", "params": [{"name": "seq", "required": True, "schema": NUMBER}]},
            {"name": "stopping", "params": []},
        ],
        "x-topics": [
            {"name": "message", "durable": True, "body": ITEM},
            {"name": "link", "durable": False, "body": ITEM},
        ],
        "x-errors": [error("blocked"), error("busy")],
        "x-causes": [{"name": "expired", "final": True, "text": "t", "hint": "h"}],
        "components": {
            "schemas": {
                "Place": struct("Place", {"epoch": TEXT}, ["epoch"]),
                "Sent": struct("Sent", {"item": ITEM, "items": {"type": "array", "items": ITEM}}, ["item"]),
                "Item": struct(
                    "Item",
                    {
                        "id": TEXT,
                        "state": {"enum": ["new", "old"]},
                        "cause": MAYBE,
                        "size": NUMBER,
                        "counts": {"type": "object", "additionalProperties": NUMBER},
                        "again": {"anyOf": [ITEM, {"type": "null"}], "default": None},
                    },
                    ["id", "state", "size"],
                ),
            }
        },
    }


def struct(name, properties, required):
    return {"title": name, "type": "object", "properties": properties, "required": required}


def error(slug, code=1000, retryable=False):
    return {"code": code, "message": "m", "data": {"slug": slug, "retryable": retryable, "hint": ""}}


def changes_after(edit):
    old = document()
    new = copy.deepcopy(old)
    edit(
        new,
        new["methods"][0],
        {p["name"]: p for p in new["methods"][0]["params"]},
        new["components"]["schemas"],
    )
    return compare_documents(old, new)


BREAKS = {
    "method removed": lambda d, m, p, s: d["methods"].clear(),
    "parameter removed": lambda d, m, p, s: m["params"].pop(),
    "parameter became required": lambda d, m, p, s: p["note"].update(required=True),
    "new required parameter": lambda d, m, p, s: m["params"].append(
        {"name": "x", "required": True, "schema": TEXT}
    ),
    "parameter's type changed": lambda d, m, p, s: p["to"].update(schema=NUMBER),
    "parameter no longer null": lambda d, m, p, s: p["note"].update(schema=TEXT),
    "parameter's enumeration shrank": lambda d, m, p, s: p["how"].update(
        schema={"enum": ["fast"], "default": "fast"}
    ),
    "free text became an enumeration": lambda d, m, p, s: p["to"].update(schema={"enum": ["a"]}),
    "parameter's items changed": lambda d, m, p, s: p["many"]["schema"].update(items=NUMBER),
    "parameter's default changed": lambda d, m, p, s: p["limit"].update(
        schema={"type": "integer", "default": 9}
    ),
    "parameter got a limit": lambda d, m, p, s: p["limit"]["schema"].update(maximum=10),
    "member of a parameter became required": lambda d, m, p, s: s["Place"].update(
        properties={"epoch": TEXT, "seq": NUMBER}, required=["epoch", "seq"]
    ),
    "member of a parameter removed": lambda d, m, p, s: s["Place"].update(properties={}, required=[]),
    "result member removed": lambda d, m, p, s: s["Sent"]["properties"].pop("items"),
    "inner result member removed": lambda d, m, p, s: s["Item"]["properties"].pop("size"),
    "result member became optional": lambda d, m, p, s: s["Item"].update(required=["id", "state"]),
    "result member may now be null": lambda d, m, p, s: s["Item"]["properties"].update(id=MAYBE),
    "result member's type changed": lambda d, m, p, s: s["Item"]["properties"].update(size=TEXT),
    "result enumeration became free text": lambda d, m, p, s: s["Item"]["properties"].update(state=TEXT),
    "values of a result's map changed": lambda d, m, p, s: s["Item"]["properties"]["counts"].update(
        additionalProperties=TEXT
    ),
    "scope raised": lambda d, m, p, s: m.update({"x-scope": "full"}),
    "now waits for a person": lambda d, m, p, s: m.update({"x-confirm": True}),
    "no dry run": lambda d, m, p, s: m.update({"x-dry-run": False}),
    "no idempotency key": lambda d, m, p, s: m.update({"x-idempotent-with-key": False}),
    "only after initialize": lambda d, m, p, s: m.update({"x-before-initialize": False}),
    "came later than it said": lambda d, m, p, s: m.update({"x-since": 2}),
    "notification removed": lambda d, m, p, s: d["x-notifications"].pop(),
    "notification's member removed": lambda d, m, p, s: d["x-notifications"][0].update(params=[]),
    "topic removed": lambda d, m, p, s: d["x-topics"].pop(),
    "topic became ephemeral": lambda d, m, p, s: d["x-topics"][0].update(durable=False),
    "topic's body changed": lambda d, m, p, s: d["x-topics"][0].update(
        body={"$ref": "#/components/schemas/Place"}
    ),
    "topic's scope raised": lambda d, m, p, s: d["x-topics"][0].update(scope="full"),
    "cause removed": lambda d, m, p, s: d["x-causes"].pop(),
    "cause no longer final": lambda d, m, p, s: d["x-causes"][0].update(final=False),
    "error removed": lambda d, m, p, s: d["x-errors"].pop(),
    "error's code changed": lambda d, m, p, s: d["x-errors"].__setitem__(1, error("busy", 1200)),
    "error no longer retryable": lambda d, m, p, s: d["x-errors"].__setitem__(
        1, error("busy", retryable=True)
    ),
}

ADDITIONS = {
    "new method": lambda d, m, p, s: d["methods"].append({**m, "name": "chat.more"}),
    "new optional parameter": lambda d, m, p, s: m["params"].append(
        {"name": "x", "required": False, "schema": TEXT}
    ),
    "parameter became optional": lambda d, m, p, s: p["to"].update(required=False),
    "parameter may be null": lambda d, m, p, s: p["to"].update(schema={**MAYBE}),
    "parameter's enumeration grew": lambda d, m, p, s: p["how"].update(
        schema={"enum": ["fast", "slow", "now"], "default": "fast"}
    ),
    "enumeration became free text": lambda d, m, p, s: p["how"].update(
        schema={"type": "string", "default": "fast"}
    ),
    "new optional member of a parameter": lambda d, m, p, s: s["Place"]["properties"].update(seq=NUMBER),
    "new result member": lambda d, m, p, s: s["Item"]["properties"].update(more=TEXT),
    "result member is always there": lambda d, m, p, s: s["Sent"].update(required=["item", "items"]),
    "result member is never null": lambda d, m, p, s: s["Item"]["properties"].update(cause=TEXT),
    "result enumeration grew": lambda d, m, p, s: s["Item"]["properties"].update(
        state={"enum": ["new", "old", "lost"]}
    ),
    "text became an enumeration in a result": lambda d, m, p, s: s["Item"]["properties"].update(
        id={"enum": ["a"]}
    ),
    "scope lowered": lambda d, m, p, s: m.update({"x-scope": "read"}),
    "deprecated": lambda d, m, p, s: m.update({"deprecated": True, "x-instead": "chat.write"}),
    "method may answer another error": lambda d, m, p, s: m["errors"].append(error("busy")),
    "method answers an error no more": lambda d, m, p, s: m["errors"].clear(),
    "new cause": lambda d, m, p, s: d["x-causes"].append(
        {"name": "late", "final": False, "text": "", "hint": ""}
    ),
    "new error": lambda d, m, p, s: d["x-errors"].append(error("late")),
    "new topic": lambda d, m, p, s: d["x-topics"].append({"name": "more", "durable": True, "body": ITEM}),
    "topic became durable": lambda d, m, p, s: d["x-topics"][1].update(durable=True),
    "new notification": lambda d, m, p, s: d["x-notifications"].append({"name": "more", "params": []}),
    "new member of a notification": lambda d, m, p, s: d["x-notifications"][1]["params"].append(
        {"name": "why", "required": True, "schema": TEXT}
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_a_break(name):
    changes = changes_after(BREAKS[name])
    assert Kind.BREAK in {change.kind for change in changes}, changes


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_is_one(name):
    changes = changes_after(ADDITIONS[name])
    assert {change.kind for change in changes} == {Kind.ADDITION}, changes


def test_the_same_is_the_same_and_words_are_words():
    assert compare_documents(document(), document()) == []
    [change] = changes_after(lambda d, m, p, s: m.update(summary="Say something."))
    assert change.kind is Kind.WORDING


def test_a_struct_may_be_renamed():
    def rename(d, m, p, s):
        s["Thing"] = {**s.pop("Item"), "title": "Thing"}
        text = json.dumps(d).replace("schemas/Item", "schemas/Thing")
        renamed = json.loads(text)
        d.clear()
        d.update(renamed)

    assert {c.kind for c in changes_after(rename)} == {Kind.WORDING}


def test_a_struct_used_both_ways_is_judged_both_ways():
    """A new required member is no break where the peer writes it, but is where the client does."""

    def edit(d, m, p, s):
        m["result"]["schema"] = {"$ref": "#/components/schemas/Place"}

    old = document()
    edit(old, old["methods"][0], {}, {})
    new = copy.deepcopy(old)
    new["components"]["schemas"]["Place"].update(
        properties={"epoch": TEXT, "seq": NUMBER}, required=["epoch", "seq"]
    )
    kinds = {(change.kind, change.place) for change in compare_documents(old, new)}
    assert kinds == {(Kind.BREAK, "Place"), (Kind.ADDITION, "Place")}


def test_every_change_of_one_edit_is_listed_breaks_first():
    def edit(d, m, p, s):
        BREAKS["scope raised"](d, m, p, s)
        ADDITIONS["new result member"](d, m, p, s)
        BREAKS["error removed"](d, m, p, s)

    changes = changes_after(edit)
    assert [change.kind for change in changes] == [Kind.BREAK, Kind.BREAK, Kind.ADDITION]
    assert {change.place for change in changes} == {"chat.send", "busy", "Item"}
    assert "scope raised from chat to full" in str(changes[1]) or "scope raised" in str(changes[0])


def test_a_released_version_is_a_promise_and_one_in_the_making_is_not():
    changes = [Change(Kind.BREAK, "x", "gone"), Change(Kind.ADDITION, "y", "new")]
    assert refuse(changes, api_min=1, released=0) == []
    assert refuse(changes, api_min=1, released=1) == changes[:1]
    assert refuse(changes, api_min=2, released=1) == []


def test_removing_any_method_or_topic_of_the_real_document_is_seen():
    real = build_document()
    for table in ("methods", "x-topics", "x-notifications", "x-errors", "x-causes"):
        for place in range(len(real[table])):
            new = {**real, table: [row for i, row in enumerate(real[table]) if i != place]}
            changes = compare_documents(real, new)
            assert [change.kind for change in changes] == [Kind.BREAK], (table, place)
    assert compare_documents(real, json.loads(json.dumps(real))) == []


def test_removing_any_member_of_any_struct_of_the_real_document_is_seen():
    real = build_document()
    for name, schema in real["components"]["schemas"].items():
        for member in schema.get("properties", {}):
            new = json.loads(json.dumps(real))
            del new["components"]["schemas"][name]["properties"][member]
            for method in new["methods"]:
                original = next(m for m in real["methods"] if m["name"] == method["name"])
                if {p["name"] for p in original["params"]} == set(schema["properties"]):
                    method["params"] = [p for p in method["params"] if p["name"] != member]
            for notice in new["x-notifications"]:
                if {p["name"] for p in notice["params"]} == set(schema["properties"]):
                    notice["params"] = [p for p in notice["params"] if p["name"] != member]
            assert Kind.BREAK in {c.kind for c in compare_documents(real, new)}, (name, member)
