"""Answers in a caller's JSON schema: how a model declines there, and what its values claim. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from app.errors import InvalidInput
from app.language.sentences import split_sentences

# Where only JSON may be written, this says what the marker says elsewhere.
DECLINED = '{"no_answer":true}'
DECLINING = {
    "type": "object",
    "properties": {"no_answer": {"const": True}},
    "required": ["no_answer"],
    "additionalProperties": False,
}
# Where a claim starts and ends in the answer, and what it says.
Said = tuple[int, int, str]
STRING = r'"(?:[^"\\]|\\.)*"'
# A string that never ends is read to the end once, not again from each of its quotes.
VALUE = re.compile(
    rf'{STRING}(?=\s*:)|(?P<string>{STRING})|"(?:[^"\\]|\\.)*+|(?P<number>-?[0-9]+(?:\.[0-9]+)?)', re.DOTALL
)


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


def is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def claims(text: str) -> Iterator[Said]:
    """Yield (start, end, what it says) of each string value's sentences and each number; keys claim nothing."""
    for found in VALUE.finditer(text):
        if found["number"]:
            yield *found.span(), found["number"]
        elif found["string"]:
            start, end = found.start() + 1, found.end() - 1
            value = text[start:end]
            if "\\" in value:
                start, end = start + len(value) - len(value.lstrip()), end - len(value) + len(value.rstrip())
                yield start, end, json.loads(found["string"], strict=False)
                continue
            for one, other in split_sentences(value):
                yield start + one, start + other, value[one:other]
