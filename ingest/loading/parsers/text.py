"""Reads what is text already: as it stands, or one line a value for JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ingest.loading.parsed import Options, Parsed, without_pages

BLANK_LINES = re.compile(r"\n\s*\n")
# Numbers are text like any other: `1.50` is not `1.5`, nor `1e3` `1000.0`.
AS_WRITTEN = json.JSONDecoder(parse_float=str, parse_int=str)
DELIMITER = re.compile(r"\A\ufeff?sep=[^\n]\r?\n", re.IGNORECASE)


def as_it_stands(content: str, _: Options) -> Parsed:
    return without_pages(None, content)


def rows(content: str, _: Options) -> Parsed:
    """Return CSV as it is written: its rows read well, and a Markdown table would change each value's surroundings. Of
    the line by which Excel names the delimiter nothing is read."""
    return without_pages(None, DELIMITER.sub("", content, count=1))


def from_json(content: str, _: Options) -> Parsed:
    value = AS_WRITTEN.decode(content)
    title = value.get("title") if isinstance(value, dict) else None
    records = value if isinstance(value, list) else [value]
    return without_pages(title if isinstance(title, str) else None, _paragraphs(records))


def from_jsonl(content: str, _: Options) -> Parsed:
    return without_pages(None, _paragraphs([AS_WRITTEN.decode(line) for line in content.splitlines() if line.strip()]))


def _paragraphs(records: list[Any]) -> str:
    """Return a paragraph for each record; of several none holds blank lines, at which they would be cut."""
    texts = ["\n".join(_lines(record, "")) for record in records]
    return "\n\n".join(texts if len(texts) == 1 else (BLANK_LINES.sub("\n", text) for text in texts))


def _lines(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _lines(each, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for each in value:
            yield from _lines(each, name)
    elif isinstance(value, list):
        yield from _line(", ".join(_scalar(each) for each in value), name)
    else:
        yield from _line(_scalar(value), name)


def _line(text: str, name: str) -> Iterator[str]:
    if text:
        yield f"{name}: {text}" if name else text


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
