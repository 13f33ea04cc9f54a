"""The OpenRPC document: complete, self-contained, and the committed one."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from kezd.api.methods import METHODS
from kezd.api.openrpc import build_document
from kezd.errors import TABLE, Slug

GOLDEN = Path(__file__).parent.parent / "golden" / "openrpc.json"


def test_every_method_is_in_it():
    document = build_document()
    assert [m["name"] for m in document["methods"]] == [m.name for m in METHODS]
    assert {e["data"]["slug"] for e in document["x-errors"]} == {s.value for s in Slug}


def test_every_reference_resolves():
    document = build_document()
    text = msgspec.json.encode(document).decode()
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert names
    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_method_row(method):
    row = next(m for m in build_document()["methods"] if m["name"] == method.name)
    fields = {f.encode_name: f.required for f in msgspec.structs.fields(method.params)}
    assert {p["name"]: p["required"] for p in row["params"]} == fields
    assert row["summary"].endswith(".")
    assert [e["data"]["slug"] for e in row["errors"]] == [s.value for s in method.errors]


def test_names_are_noun_verb_and_unique():
    names = [m.name for m in METHODS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in names)


def test_documented_errors_are_in_the_table():
    assert all(slug in TABLE for method in METHODS for slug in method.errors)


def test_the_committed_document_is_this_one():
    """A change here is a change of the API: look at the difference, then commit the new file.

    python -c 'import json; from kezd.api.openrpc import build_document as b; print(json.dumps(b(), indent=1, sort_keys=True))'
    """
    assert json.loads(GOLDEN.read_text()) == json.loads(json.dumps(build_document()))
