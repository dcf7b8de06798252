from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from app.errors import InvalidInput
from app.prompting.json_schema import DECLINING, allow_declining, validate_schema

ROOMS = {
    "type": "object",
    "properties": {
        "rooms": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "best": {"$ref": "#/properties/rooms/items"},
        "annex": {"$ref": "#"},
        "keeper": {"$ref": "#/$defs/keeper"},
        "$ref": {"type": "string"},
        "said": {"enum": [{"$ref": "#/nowhere"}]},
    },
    "required": ["best"],
    "$defs": {"keeper": {"type": "object", "properties": {"at": {"$ref": "#/properties/best"}}}, "answer": {}},
}
FITS = [
    {"best": {"name": "a"}},
    {"best": {"name": "a"}, "annex": {"best": {"name": "b"}}, "keeper": {"at": {"name": "c"}}},
    {"best": {"name": "a"}, "$ref": "x", "said": {"$ref": "#/nowhere"}},
    {"no_answer": True},
]
DOES_NOT = [{}, {"best": {}}, {"best": {"name": "a"}, "annex": {}}, {"best": {"name": "a"}, "keeper": {"at": {}}}]


def test_references_into_the_schema_mean_the_same_beside_the_object_that_declines():
    validate_schema(ROOMS)
    extended = Draft202012Validator(allow_declining(ROOMS))
    assert [value for value in FITS if not extended.is_valid(value)] == []
    assert [value for value in DOES_NOT if extended.is_valid(value)] == []


def test_a_schema_without_them_stays_as_it_is():
    own = {"type": "object", "properties": {"a": {"$ref": "#/definitions/a"}}}
    definitions = {"a": {"type": "string"}}
    extended = allow_declining({**own, "definitions": definitions})
    assert extended == {"anyOf": [own, DECLINING], "definitions": definitions}


@pytest.mark.parametrize(
    "reference", ["#/properties/no", "#/$defs/no", "#anchor", "https://a.example/b", "other.json", "#/required/0", ""]
)
def test_a_reference_that_leads_nowhere_is_refused(reference: str):
    with pytest.raises(InvalidInput, match="leads nowhere"):
        validate_schema({"type": "object", "properties": {"a": {"$ref": reference}}, "required": ["a"]})
