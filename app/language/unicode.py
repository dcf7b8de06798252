"""Clean text as Kyujang keeps it: NFC, and nothing that PostgreSQL or UTF-8 cannot hold."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator

from app.language.marks import MAX_MARKS, has_long_run

MAX_METADATA_DEPTH = 6
MAX_METADATA_VALUES = 500


def clean(text: str) -> str:
    """Normalise to NFC. Raises ValueError for NUL characters, lone surrogates and long runs of combining marks."""
    if "\x00" in text:
        raise ValueError("contains a NUL character (U+0000); remove it")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains a lone surrogate, which is not a character; send valid Unicode")
    # Some marks are several in NFC.
    if has_long_run(text) or has_long_run(normal := unicodedata.normalize("NFC", text)):
        raise ValueError(f"holds more than {MAX_MARKS} combining marks in a row; remove them")
    return normal


def clean_metadata(value: dict[str, Any]) -> dict[str, Any]:
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
        return {clean(key): _clean_value(each, depth - 1, budget) for key, each in value.items()}
    return value


# After a limit of the length, which costs less.
CLEAN = AfterValidator(clean)
Text = Annotated[str, CLEAN]
Metadata = Annotated[dict[str, Any], AfterValidator(clean_metadata)]
