"""Find what an answer in JSON claims: each value by itself. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.language.sentences import split_sentences

# A string may lack its end, where the answer was cut short.
VALUE = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*+(?P<end>"|\\?\Z))(?P<key>\s*:)?'
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<literal>true|false|null)",
    re.DOTALL,
)
BEGINS = re.compile(r'\s*(?:\{|\[\s*(?:["{\[\]]|true|false|null))')
JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+")


@dataclass(frozen=True, slots=True)
class Value:
    """Where a claim starts and ends in the answer, what it says, and the words of its key.

    `text` of a literal is `true`, `false` or `null`.
    """

    start: int
    end: int
    text: str
    key: str
    is_literal: bool = False


def may_be_json(text: str) -> bool:
    """Tell by its beginning. `[1]` and `[1, 2]` are citation markers."""
    return BEGINS.match(text) is not None


def is_json(text: str) -> bool:
    if not may_be_json(text):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def values(text: str) -> Iterator[Value]:
    """Yield each string value's sentences, each number, and each of `true`, `false` and `null`; keys claim nothing."""
    key = ""
    for found in VALUE.finditer(text):
        if found["key"]:
            key = JOINT.sub(" ", found["string"][1:-1]).strip().lower()
        elif found["string"]:
            for start, end, said in _sentences(text, found.start() + 1, found.start("end")):
                yield Value(start, end, said, key)
        else:
            yield Value(*found.span(), found[0], key, found["literal"] is not None)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    value = text[start:end]
    if "\\" not in value:
        yield from ((start + one, start + other, value[one:other]) for one, other in split_sentences(value))
        return
    start, end = start + len(value) - len(value.lstrip()), end - len(value) + len(value.rstrip())
    try:
        yield start, end, json.loads(f'"{value}"', strict=False)
    except ValueError:  # cut short within an escape
        yield start, end, value
