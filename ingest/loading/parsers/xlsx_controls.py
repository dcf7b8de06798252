"""Reads what is written on the buttons and other controls of a worksheet, which lie in a drawing of an old kind."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

from ingest.loading.parsers.xlsx_cells import one_line
from ingest.loading.parsers.xml_tree import read_tree


def captions(archive: zipfile.ZipFile, part: str) -> Iterator[str]:
    """Yield the captions. Shapes of comments hold no text of their own."""
    for shape in read_tree(archive, part).all("shape"):
        kind = shape.child("ClientData").get("ObjectType")
        if kind not in ("", "Note") and (text := one_line(shape.child("textbox").text)):
            yield text
