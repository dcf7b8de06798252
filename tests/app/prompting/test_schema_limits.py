"""A caller's JSON schema is bounded before anything reads it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.api.query_schemas import ResponseFormatBody
from app.errors import InvalidInput
from app.prompting.json_schema import validate_schema

BODY = TypeAdapter(ResponseFormatBody)


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def read(schema: dict[str, Any]) -> None:
    BODY.validate_python({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        ({"properties": {f"p{n}": {} for n in range(501)}}, "500 properties"),
        ({"items": {"$defs": {"a": {"properties": {f"p{n}": {} for n in range(500)}}}}}, "500 properties"),
        (nested(32), "32 levels"),
        (nested(100_000), "32 levels"),
        ({"allOf": [[[nested(29)]]]}, "32 levels"),
        ({"enum": ["가" * 12_000]}, "64 KB"),
        ({"properties": {"a": {"type": "string", "maxLength": 10_000}}}, "9999 times"),
        ({"items": {"type": "array", "minItems": 1e9}}, "9999 times"),
        ({"pattern": "^a{2,10000}$"}, "9999 times"),
        ({"pattern": "(ab){00020000}"}, "9999 times"),
    ],
)
def test_what_is_too_large_is_refused_by_the_name_of_its_limit(schema, limit):
    with pytest.raises(ValidationError, match=limit):
        read(schema)


def test_what_is_as_large_as_allowed_is_read():
    read({"properties": {f"p{n}": {"maxLength": 9_999, "pattern": "a{1,20}"} for n in range(500)}})
    read(nested(31))


def test_a_schema_that_only_the_check_finds_too_deep_is_refused():
    with pytest.raises(InvalidInput, match="nested too deep"):
        validate_schema(nested(2_000))
