"""Filters as JSON, as the API takes them and as parts store them. What comes here has been checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.storage.collections import DEFAULT
from app.storage.filters import All, Compares, Contains, Filter, Is, Key, Metadata, Not, Some

METADATA = "metadata."


def filter_from(sent: Mapping[str, Any]) -> Filter:
    """Return the tree of {"key", "op", "value"}, {"and": […]}, {"or": […]} or {"not": …}."""
    if "and" in sent:
        return All([filter_from(part) for part in sent["and"]])
    if "or" in sent:
        return Some([filter_from(part) for part in sent["or"]])
    if "not" in sent:
        return Not(filter_from(sent["not"]))
    name, op, value = sent["key"], sent["op"], sent["value"]
    if name == "created_at":
        value = [_time(each) for each in value] if op == "in" else _time(value)
    if name == "collection":
        among = in_collection(value if op == "in" else [value])
        return Not(among) if op == "ne" else among
    key: Key = Metadata(name.removeprefix(METADATA)) if name.startswith(METADATA) else name
    match op:
        case "in":
            return Is(key, value)
        case "ne":
            return Not(Is(key, [value]))
        case "contains":
            assert isinstance(key, Metadata)
            return Contains(key, value)
        case "gt" | "gte" | "lt" | "lte":
            return Compares(key, op, value)
        case _:
            return Is(key, [value])


def in_collection(ids: Sequence[str]) -> Filter:
    return Is("collection", [None if each == DEFAULT else each for each in ids])


def digest_of(sent: Mapping[str, Any]) -> bytes:
    """Return what two filters that are written alike have in common."""
    return hashlib.sha256(json.dumps(sent, ensure_ascii=False, sort_keys=True).encode()).digest()


def _time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
