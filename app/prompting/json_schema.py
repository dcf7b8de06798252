"""Answers in a caller's JSON schema: how a model declines there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from app.errors import InvalidInput

# Where only JSON may be written, this says what the marker says elsewhere.
DECLINED = '{"no_answer":true}'
DECLINING = {
    "type": "object",
    "properties": {"no_answer": {"const": True}},
    "required": ["no_answer"],
    "additionalProperties": False,
}


def validate_schema(schema: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless it is a JSON schema: vLLM lets any JSON pass under an unknown type. Blocks."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidInput(f"This is not a JSON schema: {error.message[:300]}", pointer="/response_format") from None
    except RecursionError:
        raise InvalidInput("This JSON schema is nested too deep.", pointer="/response_format") from None


def allow_declining(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Extend the caller's schema by the object that declines. Definitions stay at the root, where `$ref` looks."""
    definitions = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    own = {name: value for name, value in schema.items() if name not in definitions}
    return {"anyOf": [own, DECLINING], **definitions}
