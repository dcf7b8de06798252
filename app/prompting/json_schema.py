"""Answers in a caller's JSON schema: how a model declines there, and references. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

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

REFERENCE = "$ref"
DEFINITIONS = ("$defs", "definitions")
# What the caller's schema is called where something refers into it.
MOVED = "answer"
# Here is no schema.
LITERAL = frozenset({"const", "enum", "default", "examples"})


def validate_schema(schema: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless it is a JSON schema: vLLM lets any JSON pass under an unknown type. Blocks."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidInput(f"This is not a JSON schema: {error.message[:300]}", pointer="/response_format") from None
    except RecursionError:
        raise InvalidInput("This JSON schema is nested too deep.", pointer="/response_format") from None
    for each in _referring(schema):
        if not _leads_somewhere(schema, each[REFERENCE]):
            raise InvalidInput(
                f"The reference {each[REFERENCE][:100]!r} leads nowhere in this JSON schema: write '#', '#/$defs/…' or "
                "another place in it.",
                pointer="/response_format",
            )


def allow_declining(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Extend the caller's schema by the object that declines.

    Definitions stay at the root, where `$ref` looks; what else is referred to moves, with the schema, among them.
    """
    definitions = {name: schema[name] for name in DEFINITIONS if name in schema}
    own = {name: value for name, value in schema.items() if name not in definitions}
    if not any(_is_into_schema(each[REFERENCE]) for each in _referring(schema)):
        return {"anyOf": [own, DECLINING], **definitions}
    name = MOVED
    while name in definitions.get("$defs", {}):
        name += "_"
    moved = _moved({**definitions, "$defs": {**definitions.get("$defs", {}), name: own}}, f"#/$defs/{name}")
    return {"anyOf": [{REFERENCE: f"#/$defs/{name}"}, DECLINING], **moved}


def _referring(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield each schema that is a reference."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get(REFERENCE), str):
            yield schema
        for name, value in schema.items():
            if name not in LITERAL:
                yield from _referring(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _referring(each)


def _is_into_schema(reference: str) -> bool:
    return reference == "#" or not reference.startswith(tuple(f"#/{name}/" for name in DEFINITIONS))


def _moved(schema: Any, root: str) -> Any:
    """Return it with references that start at `root`, but for those to definitions."""
    if isinstance(schema, list):
        return [_moved(each, root) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved = {name: value if name in LITERAL else _moved(value, root) for name, value in schema.items()}
    if isinstance(reference := schema.get(REFERENCE), str) and _is_into_schema(reference):
        moved[REFERENCE] = root + reference[1:]
    return moved


def _leads_somewhere(schema: Mapping[str, Any], reference: str) -> bool:
    """Tell whether it is a JSON pointer (RFC 6901) into the schema."""
    place: Any = schema
    if reference != "#" and not reference.startswith("#/"):
        return False
    for part in unquote(reference[2:]).split("/") if reference != "#" else ():
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and part.isdecimal() and len(part) < 5 and int(part) < len(place):
            place = place[int(part)]
        elif isinstance(place, Mapping) and part in place:
            place = place[part]
        else:
            return False
    return isinstance(place, Mapping | bool)
