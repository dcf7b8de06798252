"""Reads Jupyter notebooks: their cells in order, and the text of what the cells put out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ingest.loading.parsed import Notice, Options, Parsed
from ingest.loading.parsers import html, markdown

# Colours of a terminal.
ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,30}[A-Za-z]")
DEFAULT_LANGUAGE = "python"


def read(content: str, options: Options) -> Parsed:
    notebook = json.loads(content)
    language = _named(notebook, "metadata", "language_info", "name") or DEFAULT_LANGUAGE
    reader = _Notebook(options, language)
    sheets = [notebook, *_list(notebook, "worksheets")]
    cells = [cell for sheet in sheets for cell in _list(sheet, "cells") if isinstance(cell, dict)]
    blocks = [block for cell in cells for block in reader.blocks(cell) if block.strip()]
    parsed = markdown.read("\n\n".join(blocks), options)
    title = _named(notebook, "metadata", "title")
    return Parsed(title or parsed.title, parsed.pages, parsed.warnings + reader.warnings())


class _Notebook:
    def __init__(self, options: Options, language: str) -> None:
        self._options, self._language = options, language
        self._pictures = 0

    def blocks(self, cell: dict[str, Any]) -> Iterator[str]:
        source = _text(cell.get("source", cell.get("input", "")))
        match cell.get("cell_type"):
            case "code":
                if source.strip():
                    yield _fenced(source, self._language)
                for output in _list(cell, "outputs"):
                    yield from self._output(output)
            case "heading" if source.strip():
                level = cell.get("level")
                yield f"{'#' * (level if level in (2, 3, 4, 5, 6) else 1)} {source}"
            case _:
                yield source

    def _output(self, output: Any) -> Iterator[str]:
        if not isinstance(output, dict):
            return
        data = output.get("data") if isinstance(output.get("data"), dict) else output
        assert isinstance(data, dict)
        self._pictures += any(str(kind).startswith("image/") or kind in ("png", "jpeg", "svg") for kind in data)
        if "text/markdown" in data:
            yield _text(data["text/markdown"])
        elif "<table" in (page := _text(data.get("text/html", ""))):
            # Beside it a table of data stands in columns of spaces.
            yield html.read(page, self._options).text
        elif text := _text(data.get("text/plain", data.get("text", output.get("traceback", "")))):
            yield _fenced(ESCAPES.sub("", text))

    def warnings(self) -> list[Notice]:
        if not self._pictures:
            return []
        return [Notice("picture_without_text", f"Pictures that cells put out, not read: {self._pictures:,}.")]


def _fenced(text: str, language: str = "") -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text))) if "```" in text else "```"
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def _text(value: Any) -> str:
    """Return text that is stored whole or in lines."""
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return value if isinstance(value, str) else ""


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _named(value: Any, *names: str) -> str | None:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
