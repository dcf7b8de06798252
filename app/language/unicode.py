"""Clean text as Kyujang keeps it: NFC, and nothing that PostgreSQL or UTF-8 cannot hold."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator

from app.language.marks import MAX_MARKS, has_long_run

MAX_METADATA_DEPTH = 6
MAX_METADATA_VALUES = 500
MAX_METADATA_BYTES = 16 << 10
SURROGATE = re.compile("[\ud800-\udfff]")
ONE_LINE = frozenset("\u2028\u2029")


def clean(text: str) -> str:
    """Normalise to NFC. Raises ValueError for NUL characters, lone surrogates and long runs of combining marks."""
    if "\x00" in text:
        raise ValueError("contains a NUL character (U+0000); remove it")
    if SURROGATE.search(text):
        raise ValueError("contains a lone surrogate, which is not a character; send valid Unicode")
    # Some marks are several in NFC.
    if has_long_run(text) or has_long_run(normal := unicodedata.normalize("NFC", text)):
        raise ValueError(f"holds more than {MAX_MARKS} combining marks in a row; remove them")
    return normal


def clean_line(text: str) -> str:
    """Normalise a text of one line. Raises ValueError for control characters too, which a terminal would obey."""
    if any(unicodedata.category(character) == "Cc" or character in ONE_LINE for character in text):
        raise ValueError("contains a control character or a line break; remove it")
    return clean(text)


def clean_metadata(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_METADATA_DEPTH} levels") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"is larger than {MAX_METADATA_BYTES >> 10} KB as JSON")
    budget = [MAX_METADATA_VALUES]
    cleaned = _clean_value(value, MAX_METADATA_DEPTH, budget)
    assert isinstance(cleaned, dict)
    return cleaned


def _clean_value(value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError(f"holds more than {MAX_METADATA_VALUES} values")
    if depth == 0:
        raise ValueError(f"is nested deeper than {MAX_METADATA_DEPTH} levels")
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**63:
        raise ValueError("holds an integer of more than 64 bits")
    if isinstance(value, list):
        return [_clean_value(each, depth - 1, budget) for each in value]
    if isinstance(value, dict):
        return {_clean_key(key): _clean_value(each, depth - 1, budget) for key, each in value.items()}
    return value


def _clean_key(key: str) -> str:
    if not key:
        raise ValueError("has an empty key, which no filter could name")
    return clean(key)


# After a limit of the length, which costs less.
CLEAN = AfterValidator(clean)
CLEAN_LINE = AfterValidator(clean_line)
Text = Annotated[str, CLEAN]
Metadata = Annotated[dict[str, Any], AfterValidator(clean_metadata)]
