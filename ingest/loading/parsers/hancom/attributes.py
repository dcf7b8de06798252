"""Reads numbers in the attributes of Hancom's XML."""

from __future__ import annotations

from ingest.loading.parsers.ooxml import Attributes

MAX_DIGITS = 10


def number(attributes: Attributes, name: str) -> int:
    return int(attributes.get(name, "")[:MAX_DIGITS] or "0")
