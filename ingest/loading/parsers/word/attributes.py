"""Reads attributes of Word's XML by their local names: programs choose prefixes as they like."""

from __future__ import annotations

from ingest.loading.parsers.ooxml import Attributes

MAX_DIGITS = 9


def value(attributes: Attributes, name: str = "val") -> str:
    found = attributes.get(f"w:{name}")
    if found is None:
        found = next((each for key, each in attributes.items() if key.rpartition(":")[2] == name), "")
    return found


def number(attributes: Attributes, name: str = "val", default: int = 0) -> int:
    digits = value(attributes, name).strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else default


def is_on(attributes: Attributes) -> bool:
    """Tell whether a property without a value, or with a true one, is set."""
    return value(attributes) not in ("0", "false", "off", "none")


def is_superscript(attributes: Attributes) -> bool:
    return value(attributes) == "superscript"


def is_lifted(attributes: Attributes) -> bool:
    """Tell whether a run stands higher than the line, by a number of half points."""
    return value(attributes)[:1] not in ("", "-", "0")
