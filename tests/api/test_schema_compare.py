"""No break is missed: where the comparison finds none, values that were good are good, by jsonschema's judgement."""

import copy

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kezd.api.schema_compare import Flow, Kind, SchemaComparison

NAMES = ["a", "b", "c"]


def distinct(parts):
    kinds = ["enum" if "enum" in part else part["type"] for part in parts]
    return len(set(kinds)) == len(kinds)


leaves = st.one_of(
    st.sampled_from(["boolean", "null", "number"]).map(lambda kind: {"type": kind}),
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"maximum": st.integers(0, 3)}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 2)}),
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(lambda values: {"enum": values}),
)


@st.composite
def objects(draw, parts):
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    required = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    properties = {name: draw(parts) for name in names}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


schemas = st.recursive(
    leaves,
    lambda parts: st.one_of(
        parts.map(lambda items: {"type": "array", "items": items}),
        objects(parts),
        st.lists(parts.filter(lambda part: "anyOf" not in part), min_size=2, max_size=3)
        .filter(distinct)
        .map(lambda parts: {"anyOf": parts}),
    ),
    max_leaves=4,
)


@st.composite
def values_of(draw, schema):
    """A value that the schema accepts."""
    if "anyOf" in schema:
        return draw(values_of(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    match schema["type"]:
        case "null":
            return None
        case "boolean":
            return draw(st.booleans())
        case "integer":
            return draw(st.integers(-3, schema.get("maximum", 6)))
        case "number":
            return draw(st.sampled_from([-1.5, 0.5, 2.25, 7]))
        case "string":
            return draw(
                st.sampled_from(["a", "b", "z", "", "long"]).filter(
                    lambda s: len(s) >= schema.get("minLength", 0)
                )
            )
        case "array":
            return draw(st.lists(values_of(schema["items"]), max_size=2))
        case _:
            names = [n for n in schema["properties"] if n in schema["required"] or draw(st.booleans())]
            return {name: draw(values_of(schema["properties"][name])) for name in names}


@st.composite
def edited(draw, schema):
    """The schema with a change or none somewhere in it, so that pairs are often nearly the same."""
    if draw(st.integers(0, 3)) == 0:
        return draw(schemas)
    new = copy.deepcopy(schema)
    if "anyOf" in new:
        place = draw(st.integers(0, len(new["anyOf"]) - 1))
        new["anyOf"][place] = draw(edited(new["anyOf"][place]))
        assume(all("anyOf" not in part for part in new["anyOf"]) and distinct(new["anyOf"]))
    elif new.get("type") == "array":
        new["items"] = draw(edited(new["items"]))
    elif new.get("type") == "object" and new["properties"]:
        name = draw(st.sampled_from(sorted(new["properties"])))
        match draw(st.sampled_from(["inner", "need", "remove", "add"])):
            case "inner":
                new["properties"][name] = draw(edited(new["properties"][name]))
            case "need":
                new["required"] = draw(st.lists(st.sampled_from(sorted(new["properties"])), unique=True))
            case "remove":
                del new["properties"][name]
                new["required"] = [n for n in new["required"] if n != name]
            case _:
                new["properties"]["d"] = draw(leaves)
    return new


def breaks(old, new, flow):
    comparison = SchemaComparison({}, {})
    comparison.compare(old, new, flow, "value")
    return [change for change in comparison.changes if change.kind is Kind.BREAK]


def forgiving(schema):
    """As a client reads it that ignores new members and new values of enumerations."""
    if isinstance(schema, list):
        return [forgiving(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "enum" in schema:
        return {"type": "string"}
    return {key: forgiving(part) for key, part in schema.items() if key != "additionalProperties"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_clients_send_stays_accepted(data):
    old = data.draw(schemas)
    new = data.draw(edited(old))
    assume(not breaks(old, new, Flow.INPUT))
    value = data.draw(values_of(old))
    Draft202012Validator(new).validate(value)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_clients_get_stays_what_they_know(data):
    old = data.draw(schemas)
    new = data.draw(edited(old))
    assume(not breaks(old, new, Flow.OUTPUT))
    value = data.draw(values_of(new))
    Draft202012Validator(forgiving(old)).validate(value)


@settings(max_examples=100, deadline=None)
@given(schemas, st.sampled_from(Flow))
def test_a_schema_does_not_differ_from_itself(schema, flow):
    comparison = SchemaComparison({}, {})
    comparison.compare(schema, copy.deepcopy(schema), flow, "value")
    assert comparison.changes == []
