"""A filter as it is written in a command: `key op value`, where the value is JSON, or text without spaces."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

SIGNS = {"=": "eq", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
NAMES = {*SIGNS.values(), "in", "contains"}
FORM = re.compile(r"\s*(\S+)\s+(\S+)\s+(.+?)\s*", re.DOTALL)


def condition(text: str) -> dict[str, Any]:
    """Return one comparison as the API takes it, which checks the rest."""
    found = FORM.fullmatch(text)
    op = SIGNS.get(found[2], found[2]) if found else None
    if found is None or op not in NAMES:
        ops = ", ".join([*SIGNS, "in", "contains"])
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY OP VALUE, where OP is one of {ops}")
    return {"key": found[1], "op": op, "value": _value(found[3])}


def joined(conditions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the filter for which all of them hold; None for no condition."""
    return {"and": list(conditions)} if len(conditions) > 1 else next(iter(conditions), None)


def parted(only: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the conditions that joined() made the filter of."""
    if only is None:
        return []
    return only["and"] if set(only) == {"and"} and all("key" in each for each in only["and"]) else [only]


def written(only: Mapping[str, Any]) -> str:
    """Return the filter as it is written in a command, what has no such form as JSON."""
    if len(conditions := parted(only)) > 1:
        return " and ".join(map(written, conditions))
    if "key" not in only:
        return json.dumps(only, ensure_ascii=False)
    sign = next((sign for sign, op in SIGNS.items() if op == only["op"]), only["op"])
    return f"{only['key']} {sign} {json.dumps(only['value'], ensure_ascii=False)}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if " " in text or text[0] in '[{"':
            raise argparse.ArgumentTypeError(f"{text!r} is neither JSON nor one word") from None
        return text
