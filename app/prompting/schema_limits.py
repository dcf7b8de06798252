"""Limit the size of a caller's JSON schema, before anything recursive reads it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_SCHEMA_BYTES = 64 << 10
MAX_SCHEMA_DEPTH = 32
MAX_SCHEMA_PROPERTIES = 500
# The engine's grammar writes a repetition out: 10,000 cost it seconds.
MAX_REPETITION = 9_999
NAMING = ("properties", "patternProperties", "$defs", "definitions")
REPEATING = ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties")
QUANTIFIER = re.compile(r"\{[\s,\d]{0,20}\d{5}")


def limited_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError, which names the limit, for a schema that is too large."""
    properties = 0
    for each in _objects(schema):
        properties += sum(len(inner) for name in NAMING if isinstance(inner := each.get(name), dict))
        if properties > MAX_SCHEMA_PROPERTIES:
            raise ValueError(f"holds more than {MAX_SCHEMA_PROPERTIES} properties and definitions")
        if any(_is_long(each.get(name)) for name in REPEATING) or _repeats(each.get("pattern")):
            raise ValueError(f"repeats something more than {MAX_REPETITION} times ({', '.join(REPEATING)}, pattern)")
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise ValueError(f"is larger than {MAX_SCHEMA_BYTES >> 10} KB as JSON")
    return schema


def _objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    level: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        yield from (each for each in level if isinstance(each, dict))
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"is nested deeper than {MAX_SCHEMA_DEPTH} levels")


def _is_long(value: Any) -> bool:
    return isinstance(value, int | float) and value > MAX_REPETITION


def _repeats(pattern: Any) -> bool:
    return isinstance(pattern, str) and QUANTIFIER.search(pattern) is not None
