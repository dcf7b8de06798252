"""Reads the paragraphs of shapes, in presentations, workbooks and charts."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.xml_tree import Node


def paragraphs(body: Node) -> list[str]:
    """Return the text of each paragraph below the node."""
    return [joined(_runs(paragraph)) for paragraph in body.all("p")]


def _runs(node: Node) -> Iterator[Run]:
    for each in node:
        if each.name == "r" or each.name == "fld":
            raised = each.child("rPr").get("baseline", "0")
            yield each.child("t").text, raised.lstrip("+")[:1] not in ("0", "-")
        elif each.name == "br":
            yield "\n", False
        elif each.name != "Fallback":
            yield from _runs(each)
